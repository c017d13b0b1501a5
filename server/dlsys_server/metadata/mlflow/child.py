"""The MLflow process of the platform: how it is started, where it listens, whether it answers."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from dlsys_server.core.child import Child
from jupyter_dlsys.contract.system import PartHealth, PartState

from . import environment

_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
_LOG_LIMIT = 5 * 2**20
_OURS_ALONE = frozenset(
    {"DLSYS_AUDIT_KEY", "DLSYS_DATA_KEY", "DLSYS_HUB_API_TOKEN", "JUPYTERHUB_API_TOKEN"}
)


class MlflowChild:
    """One supervised MLflow server on a unix socket that only this user can reach.

    Args:
        folder: holds its databases (SQLite unless `database_url` is PostgreSQL), configuration and
        socket.
        artifacts_uri: a folder or an ``s3://`` address (endpoint: `s3_endpoint_url`).
        database_url: the platform's database; in PostgreSQL MLflow gets the schema "mlflow" in it.
        log_file: default `folder`/mlflow.log.

    `socket` and `secret` are what `MlflowClient` and `MlflowProxy` need; `secret` is new at each
    start of the
    platform.
    """

    def __init__(
        self,
        folder: Path,
        artifacts_uri: str,
        *,
        database_url: str | None = None,
        log_file: Path | None = None,
        s3_endpoint_url: str = "",
        extra_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.secret = secrets.token_urlsafe(32)
        self.socket = folder / "mlflow.sock"
        self.seconds_to_ready: float | None = None
        self._artifacts, self._database_url = artifacts_uri, database_url
        self._log_file = log_file or folder / "mlflow.log"
        self._extra = dict(extra_environment or {})
        if s3_endpoint_url:
            self._extra["MLFLOW_S3_ENDPOINT_URL"] = s3_endpoint_url
        self._short_folder: Path | None = None
        self._started = 0.0
        self._child = Child(
            "mlflow", self._command, self._environment, self._log_file, self._answers
        )

    @property
    def state(self) -> PartState:
        """ "starting", "ok", "degraded" or "failed" (it died and is started again), "off"."""
        return self._child.state

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return self._child.process.pid if self._child.process else None

    def health(self) -> PartHealth:
        """For /health."""
        return self._child.health()

    async def start(self) -> None:
        """Begin to start MLflow and return at once; see `ready`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET_PATH:
            self._short_folder = Path(tempfile.mkdtemp(prefix="dlsys-"))
            self.socket = self._short_folder / "mlflow.sock"
        with contextlib.suppress(FileNotFoundError):
            if self._log_file.stat().st_size > _LOG_LIMIT:
                self._log_file.replace(self._log_file.with_suffix(".log.1"))
        self._child.start()

    async def ready(self, timeout: float | None = 120.0) -> bool:
        """True when it answers within `timeout` seconds."""
        return await self._child.ready(timeout)

    async def stop(self) -> None:
        """End MLflow and its supervision."""
        await self._child.stop()
        if self._short_folder is not None:
            shutil.rmtree(self._short_folder, ignore_errors=True)

    async def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        transport = httpx.AsyncHTTPTransport(verify=False, uds=str(self.socket))
        async with httpx.AsyncClient(transport=transport, timeout=2) as client:
            answer = await client.get("http://localhost/health")
        if answer.status_code != 200:
            return False
        self.seconds_to_ready = time.monotonic() - self._started
        return True

    def _command(self) -> list[str]:
        self._started = time.monotonic()
        self.socket.unlink(missing_ok=True)
        return [
            sys.executable, "-m", "dlsys_server.metadata.mlflow",
            "--folder", str(self.folder), "--uds", str(self.socket),
            "--artifacts", self._artifacts, "--parent", str(os.getpid()),
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        ours = child_environment()
        ours.update(self._extra)
        ours[environment.SECRET] = self.secret
        if self._database_url:
            ours[environment.DATABASE_URL] = self._database_url
        return ours


def child_environment() -> dict[str, str]:
    """Our environment without what would steer MLflow's server."""
    return {name: value for name, value in os.environ.items() if not _foreign(name)}


def _foreign(name: str) -> bool:
    """MLflow variables of the user's own shell must not steer our server; those of its S3 client
    may. Secrets that are only the platform's stay with the platform.
    """
    if name in _OURS_ALONE:
        return True
    return name.lstrip("_").startswith("MLFLOW_") and not name.startswith("MLFLOW_S3_")
