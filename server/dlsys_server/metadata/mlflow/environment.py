"""Turns our settings into the environment and the files that MLflow reads at import. Imports no
mlflow.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ADMIN = "dlsys:platform"
"""The platform's own MLflow user. The colon keeps it apart from any name of an OS or hub user."""
SECRET = "DLSYS_MLFLOW_SECRET"  # noqa: S105  (the name of a variable)
DATABASE_URL = "DLSYS_MLFLOW_DATABASE_URL"
SCHEMA = "mlflow"
"""PostgreSQL schema of MLflow's tables: their names (and Alembic's) would clash with the platform's
own.
"""


@dataclass(frozen=True)
class Databases:
    """SQLAlchemy URLs of the tracking and the user database."""

    tracking: str
    auth: str

    @property
    def postgresql(self) -> bool:
        return self.tracking.startswith("postgresql")


def databases(folder: Path, database_url: str | None) -> Databases:
    """SQLite files in `folder`, or one schema of the given PostgreSQL database (driver psycopg
    3).
    """
    if not database_url or database_url.startswith("sqlite"):
        return Databases(f"sqlite:///{folder / 'mlflow.db'}", f"sqlite:///{folder / 'auth.db'}")
    scheme, _, rest = database_url.partition("://")
    if not scheme.startswith("postgres"):
        raise ValueError(f"MLflow's database must be SQLite or PostgreSQL, not {scheme!r}")
    joint = "&" if "?" in rest else "?"
    url = f"postgresql+psycopg://{rest}{joint}options={quote(f'-csearch_path={SCHEMA}')}"
    return Databases(url, url)


def write_auth_ini(folder: Path, database: Databases) -> Path:
    """The configuration file of MLflow's RBAC app (mode 0600: it may hold a database password)."""
    lines = [
        "[mlflow]",
        "default_permission = NO_PERMISSIONS",  # ships as READ: everybody reads everything
        "grant_default_workspace_access = false",
        "authorization_function = dlsys_server.metadata.mlflow.auth:authenticate",
        f"database_uri = {database.auth.replace('%', '%%')}",
        f"admin_username = {ADMIN}",
    ]
    path = folder / "auth.ini"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def mlflow_environment(folder: Path, database: Databases, artifacts: str) -> dict[str, str]:
    """All variables that MLflow must find before it is imported. Underscore names are private to
    MLflow 3.17.
    """
    return {
        "_MLFLOW_SERVER_FILE_STORE": database.tracking,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": secrets.token_urlsafe(24),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
        "MLFLOW_ENABLE_WORKSPACES": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "TMPDIR": str(folder / "tmp"),
    }
