"""What all our handlers share, and the door's own two: its status, and a start on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from jupyter_dlsys._version import __version__
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.server_extension.backend import Backend
from jupyter_dlsys.server_extension.presence import Presence

RESOURCE = "dlsys"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class PlatformHandler(JupyterHandler):
    """Checks the caller before anything else; errors are problem+json."""

    auth_resource = RESOURCE

    @property
    def backend(self) -> Backend:
        """The platform."""
        found: Backend = self.settings["dlsys_backend"]
        return found

    @property
    def presence(self) -> Presence:
        """What keeps it alive."""
        found: Presence = self.settings["dlsys_presence"]
        return found

    @property
    def prefix(self) -> str:
        """Path of our part of the Jupyter server, without a slash at the end."""
        return str(self.settings["base_url"]).rstrip("/") + "/dlsys"

    async def prepare(self) -> None:  # type: ignore[override]
        """Authentication, XSRF (both by Jupyter) and authorization.

        Not by jupyter_server's `@authorized`: that would run after the body was taken, and it
        remembers the action of the first request for all later ones of a shared method.
        """
        await super().prepare(_redirect_to_login=False)
        if self._finished:
            return
        if not self.current_user:
            raise web.HTTPError(403, "not authenticated", reason="Not authenticated")
        action = "read" if self.request.method in READS else "write"
        allowed = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)
        )
        if not allowed:
            raise web.HTTPError(403, f"may not {action} {RESOURCE}", reason="Not allowed")

    def get_login_url(self) -> str:
        """An API answers 403; it does not lead fetch() to a login page."""
        raise web.HTTPError(403, "not authenticated", reason="Not authenticated")

    def problem(self, status: int, error: DlsysError, retry_after: int | None = None) -> None:
        """Answer with an error of ours as problem+json."""
        if retry_after is not None:
            self.set_header("Retry-After", str(retry_after))
        self._problem(status, error.code, error.detail, error.hint)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with anything else that went wrong, as problem+json."""
        if status_code == 403:
            hint = "Reload the page; if that does not help, log in again."
        else:
            hint = "The Jupyter server's log says more."
        self._problem(status_code, "jupyter-server", str(self._reason), hint)

    def _problem(self, status: int, code: str, detail: str, hint: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/problem+json")
        self.finish(
            json.dumps(
                {
                    "type": "about:blank",
                    "title": detail.splitlines()[0] if detail else "Error",
                    "status": status,
                    "code": code,
                    "detail": detail,
                    "hint": hint,
                    "errors": [],
                }
            )
        )


def _expanded(folder: str) -> str:
    return str(Path(folder).expanduser())


class StatusHandler(PlatformHandler):
    """GET /dlsys/local/status: this door, and whether the platform behind it runs."""

    @web.authenticated
    async def get(self) -> None:
        """Starts nothing. `root` is the folder that Jupyter's paths start from."""
        told = status(self.backend)
        if not self.backend.shared:
            told["root"] = _expanded(self.settings["server_root_dir"])
        self.finish(told)


class StartHandler(PlatformHandler):
    """POST /dlsys/local/start: begin to start the platform, without waiting for it."""

    @web.authenticated
    async def post(self) -> None:
        """202; the status tells how it goes."""
        if not self.backend.shared:
            self.backend.start()
            self.presence.begin()
        self.set_status(202)
        self.finish(status(self.backend))


def status(backend: Backend) -> dict[str, Any]:
    """What this door knows by itself; asks nobody."""
    state = "stopped"
    if backend.joined:
        state = "running"
    elif backend.starting:
        state = "starting"
    elif backend.shared:
        state = "unknown"
    elif backend.failure:
        state = "failed"
    failure = backend.failure if state == "failed" else None
    return {
        "version": __version__,
        "mode": "shared" if backend.shared else "embedded",
        "home": None if backend.shared else str(backend.home),
        "state": state,
        "problem": failure.as_dict() if failure else None,
    }
