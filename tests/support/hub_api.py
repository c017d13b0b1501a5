"""The part of JupyterHub's REST API that the platform asks, as a server of its own.

It answers as JupyterHub 6 does (tests/hub runs the real one); here tokens can end, be narrowed and
users be moved between groups at once, and a platform needs no proxy and no spawned servers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

ENTER = "access:services!service=dlsys"
PLATFORM = "token-of-the-platform"


@dataclass
class HubApi:
    """Users with their groups, and tokens with whom they belong to and what they may."""

    url: str = ""
    groups: dict[str, list[str]] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """Environment of a platform that belongs to this hub."""
        return {
            "DLSYS_IDENTITY": "hub",
            "DLSYS_HUB_API_URL": self.url,
            "DLSYS_HUB_API_TOKEN": PLATFORM,
        }

    def user(self, name: str, *groups: str) -> None:
        """A user, in these groups."""
        self.groups[name] = list(groups)

    def token(self, user: str, *rights: str, kind: str = "user", enter: bool = True) -> str:
        """A token of a user with scopes `custom:dlsys:<right>`."""
        if kind == "user":
            self.groups.setdefault(user, [])
        secret = f"hub-{user}-{len(self.tokens)}-{'-'.join(rights)}-of-a-test-0123456789"
        scopes = [f"custom:dlsys:{right}" for right in rights] + ([ENTER] if enter else [])
        self.tokens[secret] = {"kind": kind, "name": user, "scopes": scopes}
        return secret

    def answer(self, path: str, token: str) -> tuple[int, dict[str, Any]]:
        """What GET answers."""
        self.asked += 1
        if path == "/user":
            held = self.tokens.get(token)
            return (200, held) if held else (403, {"status": 403, "message": "Forbidden"})
        name = unquote(path.removeprefix("/users/"))
        if token != PLATFORM or path == name or name not in self.groups:
            return 404, {"status": 404, "message": "Not Found"}
        return 200, {"kind": "user", "name": name, "groups": self.groups[name]}


@contextmanager
def started() -> Iterator[HubApi]:
    """The server on loopback, until the end of the block."""
    hub = HubApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").partition(" ")[2]
            status, found = hub.answer(self.path.removeprefix("/hub/api"), token)
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}/hub/api"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
