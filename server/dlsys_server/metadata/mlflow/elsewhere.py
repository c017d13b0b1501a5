"""The MLflow process of this home as an answering process sees it: the main process keeps it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from dlsys_server.core.told import FromMain
from jupyter_dlsys.contract.system import PartHealth, PartState

LOOK_SECONDS = 0.2


class ToldMlflow:
    """In place of MlflowChild; starts and ends nothing."""

    def __init__(self, told: FromMain, socket: Path, secret: str) -> None:
        self._told, self.socket, self.secret = told, socket, secret

    @property
    def state(self) -> PartState:
        """As the main process has said."""
        return self.health().state

    def health(self) -> PartHealth:
        """For /health."""
        return self._told.part("mlflow")

    async def ready(self, timeout: float | None = 120.0) -> bool:
        """True when it answers within `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.state != "ok":
            if end is not None and time.monotonic() >= end:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""
