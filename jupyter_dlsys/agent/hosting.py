"""The agent as a thread of a Jupyter server."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_dlsys.agent.loop import Agent

STOP_SECONDS = 8.0


class AgentThread:
    """Runs jobs of the server's owner in this server, with the server's own token.

    Args:
        url: of the shared platform; without one there is nothing to do.
        log: the server's.
    """

    def __init__(self, url: str, log: logging.Logger) -> None:
        self._url, self._log = url, log
        self._agent: Agent | None = None
        self._thread: threading.Thread | None = None

    def working(self) -> bool:
        """Whether a job runs here: then the server is in use."""
        return self._agent is not None and self._agent.working()

    def begin(self) -> None:
        """Start asking for jobs."""
        if not self._url or self._thread is not None:
            return
        from jupyter_dlsys.agent.loop import Agent, default_folder
        from jupyter_dlsys.client.client import connect

        self._agent = Agent(connect(self._url), default_folder(), self._log.info)
        self._thread = threading.Thread(target=self._run, name="dlsys agent", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop; what runs here ends with the server and is tried again."""
        if self._agent is not None and self._thread is not None:
            self._agent.stop()
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        assert self._agent is not None
        try:
            self._log.info("The agent for jobs ended: %s", self._agent.run())
        except Exception:  # noqa: BLE001  (the server goes on without it)
            self._log.exception("the agent for jobs failed")
