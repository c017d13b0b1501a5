"""The extension as Jupyter loads it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Unicode, default

from jupyter_dlsys.agent.hosting import AgentThread
from jupyter_dlsys.client import embedded
from jupyter_dlsys.server_extension.activity import WORK, Activity
from jupyter_dlsys.server_extension.backend import Backend
from jupyter_dlsys.server_extension.handlers import StartHandler, StatusHandler
from jupyter_dlsys.server_extension.presence import Presence
from jupyter_dlsys.server_extension.proxy import ProxyHandler


class DLSysApp(ExtensionApp):
    """Proxies /dlsys to the platform, which it joins or starts when it is first asked for."""

    name = "jupyter_dlsys"
    extension_url = "/dlsys/"
    load_other_extensions = True

    url = Unicode(help="URL of a shared platform (DLSYS_URL); empty: the data folder's own.").tag(
        config=True
    )
    home = Unicode(help="Data folder of the embedded platform (DLSYS_HOME).").tag(config=True)
    autostart = Bool(False, help="Start the platform with the server, not on first use.").tag(
        config=True
    )
    start_timeout = Float(embedded.START_TIMEOUT, help="Seconds to wait for its start.").tag(
        config=True
    )

    @default("url")
    def _default_url(self) -> str:
        return os.environ.get("DLSYS_URL", "")

    @default("home")
    def _default_home(self) -> str:
        return str(embedded.default_home())

    def initialize_settings(self) -> None:
        """Make what the handlers use; nothing is started or joined."""
        self.backend = Backend(
            url=self.url,
            token=os.environ.get("DLSYS_TOKEN", ""),
            home=Path(self.home).expanduser().resolve(),
            start_timeout=self.start_timeout,
            log=self.log,
        )
        self.presence = Presence(self.backend, self.log)
        self.settings["dlsys_backend"] = self.backend
        self.settings["dlsys_presence"] = self.presence
        assert self.serverapp is not None
        self.activity = Activity(self.settings, self.serverapp.kernel_manager)
        self.agent = AgentThread(self.url, self.log)
        self.settings[WORK].append(self.agent.working)

    def initialize_handlers(self) -> None:
        """The door's own paths first, then what is passed on."""
        self.handlers.extend(
            [
                (r"/dlsys/local/status", StatusHandler),
                (r"/dlsys/local/start", StartHandler),
                (r"/dlsys/(api/v1/.*)", ProxyHandler),
                (r"/dlsys/(mlflow(?:/.*)?)", ProxyHandler),
            ]
        )

    async def _start_jupyter_server_extension(self, _serverapp: Any) -> None:
        if os.environ.get("JUPYTERHUB_ACTIVITY_URL"):
            self.activity.begin()
        if os.environ.get("DLSYS_AGENT") == "1":
            self.agent.begin()
        if self.autostart and not self.backend.shared:
            self.backend.start()
            self.presence.begin()

    async def stop_extension(self) -> None:
        """Let go of the platform; it ends by itself when nobody uses it."""
        await asyncio.to_thread(self.agent.end)
        await self.activity.end()
        await self.presence.end()
        await self.backend.close()
