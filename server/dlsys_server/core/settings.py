"""All settings, with help on each. Environment variables are `DLSYS_` + the name in capitals."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once at start; handed down by constructors."""

    model_config = SettingsConfigDict(env_prefix="DLSYS_", extra="ignore", populate_by_name=True)

    home: Path = Field(description="Data folder of the embedded platform. Local disk, not NFS.")
    host: str = Field("127.0.0.1", description="Address for jobs, MLflow clients and programs.")
    port: int = Field(0, description="TCP port; 0 keeps the last one or takes a free one.")
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes of the platform: the first runs jobs, the others answer the API.",
    )
    peer_url: str = Field(
        "",
        description="Where other platforms on the same PostgreSQL reach this one; empty: its own "
        "address and port, which does for platforms on one machine.",
    )
    identity: Literal["embedded", "hub"] = Field(
        "embedded", description="Who may call: this OS user, or users of a JupyterHub."
    )
    hub_api_url: str = Field(
        "",
        validation_alias=AliasChoices("DLSYS_HUB_API_URL", "JUPYTERHUB_API_URL"),
        description="API of the hub; JupyterHub sets it for its services.",
    )
    hub_api_token: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("DLSYS_HUB_API_TOKEN", "JUPYTERHUB_API_TOKEN"),
        description="The platform's own token there; may read names and groups of users.",
    )
    hub_service: str = Field(
        "dlsys",
        validation_alias=AliasChoices("DLSYS_HUB_SERVICE", "JUPYTERHUB_SERVICE_NAME"),
        description="The platform's name as a service of the hub.",
    )
    service_url: str = Field(
        "",
        validation_alias=AliasChoices("DLSYS_SERVICE_URL", "JUPYTERHUB_SERVICE_URL"),
        description="http://ADDRESS:PORT to listen on, as the hub tells it; wins over host, port.",
    )
    service_prefix: str = Field(
        "",
        validation_alias=AliasChoices("DLSYS_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_PREFIX"),
        description="Path below which the hub's proxy shows the platform.",
    )
    hub_fresh_seconds: float = Field(
        60, ge=0, description="What the hub said of a token is good for so long."
    )
    hub_stale_seconds: float = Field(
        900, ge=0, description="And for so long while the hub is away; not for deletes."
    )
    projects_file: Path | None = Field(
        None, description="YAML of projects and members, made so at each start."
    )
    audit_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the audit log's hashes, the same for all platform processes, 32 "
        "characters or more; empty: file audit.key in the data folder.",
    )
    data_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the hashes that stand for masked values, the same for all platform "
        "processes, 32 characters or more; empty: file data.key in the data folder.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder.")
    database_connections: int = Field(
        30, ge=1, description="Connections to the database that one platform process may open."
    )
    store_url: str = Field("", description="file://… or s3://bucket/prefix; empty: <home>/store.")
    s3_endpoint_url: str = Field("", description="Endpoint of an S3 store that is not AWS.")
    launcher: Literal["platform", "helper", "agent"] = Field(
        "platform",
        description="Who starts jobs: the platform itself, the root helper dlsys-launcher beside "
        "it, or the agent in the submitter's own Jupyter server.",
    )
    launcher_socket: Path = Field(
        Path("/run/dlsys-launcher/socket"), description="Where the root helper listens."
    )
    agent_lost_seconds: float = Field(
        60, ge=20, description="A job whose agent is silent for so long is lost."
    )
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
    user_max_jobs: int = Field(
        0, description="Jobs of one user that run at once, where no quota says so; 0: no limit."
    )
    user_max_cpus: float = Field(0, description="CPU slots of one user; 0: no limit.")
    user_max_gpus: int = Field(0, description="GPUs of one user; 0: no limit.")
    project_max_jobs: int = Field(
        0, description="Jobs of one project at once, where no quota says so; 0: no limit."
    )
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

    @property
    def listens_at(self) -> tuple[str, int]:
        """Address and port; 0: keep the last one or take a free one."""
        if self.identity == "hub" and self.service_url:
            told = urlsplit(self.service_url)
            return told.hostname or self.host, told.port or self.port
        return self.host, self.port

    @property
    def prefix(self) -> str:
        """Path below which a hub's proxy shows the platform, without a slash at its end."""
        return self.service_prefix.rstrip("/") if self.identity == "hub" else ""

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
