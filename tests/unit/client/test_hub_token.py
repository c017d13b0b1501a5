"""Inside a user's server on a hub: DLSYS_URL and the server's own token are enough."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_dlsys import connect
from jupyter_dlsys.client.chunks import fetch_from_platform


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None]]]:
    """Path and Authorization of each request to DLSYS_URL, which has a path as behind a hub."""
    requests: list[tuple[str, str | None]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers["Authorization"]))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DLSYS_URL", f"http://127.0.0.1:{server.server_port}/services/dlsys")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-server")
    monkeypatch.delenv("DLSYS_TOKEN", raising=False)
    yield requests
    server.shutdown()
    server.server_close()


def test_the_sdk_shows_the_servers_token(seen: list[tuple[str, str | None]]) -> None:
    with connect() as client, pytest.raises(Exception, match="404"):
        client.system.health()
    assert seen == [("/services/dlsys/api/v1/health", "Bearer of-the-server")]


def test_so_do_readers_of_a_snapshot(seen: list[tuple[str, str | None]]) -> None:
    with pytest.raises(Exception, match="404"):
        fetch_from_platform("a" * 64)
    path, shown = seen[0]
    assert path.startswith("/services/dlsys/api/v1/projects/")
    assert shown == "Bearer of-the-server"


def test_a_token_of_ones_own_goes_first(
    seen: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has DLSYS_TOKEN, narrower than the server's."""
    monkeypatch.setenv("DLSYS_TOKEN", "of-the-job")
    with connect() as client, pytest.raises(Exception, match="404"):
        client.system.health()
    with pytest.raises(Exception, match="404"):
        fetch_from_platform("a" * 64)
    assert {shown for _, shown in seen} == {"Bearer of-the-job"}
