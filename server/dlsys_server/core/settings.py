"""All settings, with help on each. Environment variables are `DLSYS_` + the name in capitals."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once at start; handed down by constructors."""

    model_config = SettingsConfigDict(env_prefix="DLSYS_", extra="ignore")

    home: Path = Field(description="Data folder of the embedded platform. Local disk, not NFS.")
    host: str = Field("127.0.0.1", description="Address for jobs, MLflow clients and programs.")
    port: int = Field(0, description="TCP port; 0 keeps the last one or takes a free one.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    database_connections: int = Field(
        30, ge=1, description="Connections to the database that one platform process may open."
    )
    store_url: str = Field("", description="file://… or s3://bucket/prefix; empty: <home>/store.")
    s3_endpoint_url: str = Field("", description="Endpoint of an S3 store that is not AWS.")
    executor: Literal["local"] = Field("local", description="Where jobs run.")
    idle_seconds: float = Field(
        900, description="End this long after the last use when nothing runs; 0: never."
    )
    cpus: float = Field(0, description="CPU slots for jobs; 0: all of the machine.")
    memory_bytes: int = Field(0, description="Memory for jobs; 0: all of the machine.")
    gpus: str = Field("auto", description="GPU ids for jobs, comma separated; auto: nvidia-smi.")
    warm: bool = Field(True, description="Keep a process with heavy libraries to fork jobs from.")
    warm_imports: str = Field(
        "numpy,pandas,pyarrow.parquet,sklearn,torch,mlflow,jupyter_dlsys.client.inputs",
        description="What it imports, comma separated; a library that is missing is left out.",
    )
    warm_idle_seconds: float = Field(
        1800, description="End it this long after the last job; 0: never."
    )
    job_account: str = Field(
        "",
        description="OS account for jobs of owners without one of their own; only as root.",
    )
    sandbox: Literal["off", "bwrap"] = Field("off", description="Bubblewrap around each job.")
    attempts_folder: Path | None = Field(
        None, description="Folder of running jobs; local disk. Default: <home>/attempts."
    )
    job_processes: int = Field(4096, description="Processes and threads that one job may have.")
    job_disk_bytes: int = Field(
        50 * 2**30, description="Bytes that one job may have on the disk; 0: no limit."
    )
    user_max_jobs: int = Field(0, description="Jobs of one user that run at once; 0: no limit.")
    user_max_cpus: float = Field(0, description="CPU slots of one user; 0: no limit.")
    user_max_gpus: int = Field(0, description="GPUs of one user; 0: no limit.")
    project_max_jobs: int = Field(0, description="Jobs of one project at once; 0: no limit.")
    project_max_gpus: int = Field(0, description="GPUs of one project; 0: no limit.")
    max_upload_bytes: int = Field(20 * 2**30, description="Largest uploaded file.")
    chunk_bytes: int = Field(32 * 2**20, description="Aim for Parquet chunks of this size.")
    gateway_port: int = Field(0, description="Port of the model endpoints; 0: keep or take free.")
    log_level: str = Field("info", description="debug, info, warning or error.")

    @property
    def user(self) -> str:
        """Owner in embedded mode: the OS user."""
        return getpass.getuser()

    @property
    def effective_database_url(self) -> str:
        """SQLAlchemy URL with the driver we ship."""
        url = self.database_url or f"sqlite:///{self.home / 'db.sqlite'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def effective_store_url(self) -> str:
        """Object store URL."""
        return self.store_url or f"file://{self.home / 'store'}"

    def folder(self, name: str) -> Path:
        """A private folder of the data folder, made when missing."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def load_settings(home: Path | None = None) -> Settings:
    """Settings from the environment; `home` defaults to DLSYS_HOME."""
    chosen = home or (Path(os.environ["DLSYS_HOME"]) if os.environ.get("DLSYS_HOME") else None)
    if chosen is None:
        raise SystemExit("dlsys-server: set DLSYS_HOME or pass --home DIR")
    return Settings(home=chosen.expanduser().resolve())
