"""Which platform the browser's requests go to: a shared one, or the data folder's own."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from jupyter_dlsys.client import embedded
from jupyter_dlsys.client.errors import DlsysError, NotConnected

PATIENCE_SECONDS = 2.0
RETRY_SECONDS = 3.0
TIMEOUT = httpx.Timeout(30, read=None, write=None)


class Starting(NotConnected):
    """The platform is on its way."""

    code = "platform-starting"


@dataclass(frozen=True)
class Upstream:
    """A platform and a way to it. `token` never leaves this process but towards the platform."""

    http: httpx.AsyncClient
    token: str
    url: str


class Backend:
    """Finds the platform anew when it was restarted; starts it when asked, never ends it."""

    def __init__(
        self, *, url: str, token: str, home: Path, start_timeout: float, log: logging.Logger
    ) -> None:
        self.url, self.home = url.rstrip("/"), home
        self._token, self._start_timeout, self._log = token, start_timeout, log
        self._starting: asyncio.Task[embedded.Platform] | None = None
        self._failed: tuple[float, DlsysError] | None = None
        self._upstream: Upstream | None = None
        self._stamp: tuple[int, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether the platform is somebody else's, so that none is started here."""
        return bool(self.url)

    @property
    def joined(self) -> bool:
        """Whether there is an upstream that was not found to be gone."""
        return self._upstream is not None and (
            self.shared or self._stamp == embedded.stamp(self.home)
        )

    @property
    def starting(self) -> bool:
        """Whether a start is under way."""
        return self._starting is not None and not self._starting.done()

    @property
    def failure(self) -> DlsysError | None:
        """Why the last start failed."""
        return self._failed[1] if self._failed else None

    async def upstream(self) -> Upstream:
        """The platform, started when it does not run.

        Raises:
            Starting: it takes longer than a browser should wait; ask again.
            DlsysError: it cannot be started; the message says why.
        """
        if self._upstream is not None and self.joined:
            return self._upstream
        if self.shared:
            return await self._join_shared()
        self._recently_failed()
        task = self.start()
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not task.done():
            raise Starting(
                "The platform is starting.", hint="It takes a few seconds; asking again helps."
            )
        return await self._join(task.result())

    def start(self) -> asyncio.Task[embedded.Platform]:
        """Find or start the platform, once at a time, in the background."""
        if self._starting is None or self._starting.done():
            self._failed = None
            self._starting = asyncio.create_task(self._found())
            self._starting.add_done_callback(self._note_failure)
        return self._starting

    async def _found(self) -> embedded.Platform:
        def say() -> None:
            self._log.info("Starting the platform of %s", self.home)

        return await asyncio.to_thread(
            embedded.join, self.home, timeout=self._start_timeout, on_start=say
        )

    def _note_failure(self, task: asyncio.Task[embedded.Platform]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DlsysError):
            self._failed = (time.monotonic(), error)
            self._log.error("%s", error)

    def _recently_failed(self) -> None:
        """A page asks often; one failing start every few seconds is enough."""
        if self._failed and time.monotonic() - self._failed[0] < RETRY_SECONDS:
            raise self._failed[1]

    async def _join(self, platform: embedded.Platform) -> Upstream:
        stamp = embedded.stamp(self.home)
        if self._upstream is not None and self._upstream.token == platform.token:
            self._stamp = stamp
            return self._upstream
        await self.forget()
        self._stamp = stamp
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        transport = httpx.AsyncHTTPTransport(verify=False, uds=platform.uds, limits=limits)
        http = httpx.AsyncClient(
            transport=transport, base_url="http://dlsys", timeout=TIMEOUT, trust_env=False
        )
        self._upstream = Upstream(http, platform.token, platform.url)
        return self._upstream

    async def _join_shared(self) -> Upstream:
        token = self._token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        if not token:
            raise NotConnected(
                f"There is no token for the platform at {self.url}.",
                hint="Set DLSYS_TOKEN before JupyterLab starts.",
            )
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        http = httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT, trust_env=False, limits=limits)
        self._upstream = Upstream(http, token, self.url)
        return self._upstream

    async def forget(self, gone: Upstream | None = None) -> None:
        """Look again at the next request; with `gone`, only if that is still the one in use."""
        upstream = self._upstream
        if upstream is None or (gone is not None and gone is not upstream):
            return
        self._upstream, self._stamp = None, ()
        await upstream.http.aclose()

    async def close(self) -> None:
        """Let go; the platform goes on and ends by itself when nobody uses it."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
        await self.forget()
