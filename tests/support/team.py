"""A platform for a team, in this process: the real application and a hub that knows its people.

The hub is the two routes of its API that the platform asks, over HTTP; a token is a person's name.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from dlsys_server.access.tables import MemberRow, ProjectRow
from dlsys_server.app import create_app
from dlsys_server.core import clock
from dlsys_server.core.settings import Settings

SECRET = "the-operators-secret-of-this-test"
SCOPES = ["access:services!service=dlsys", "custom:dlsys:manage"]


class HubApi:
    """Who there is at the hub: person to groups. `admins` may administer the platform."""

    def __init__(self) -> None:
        self.groups: dict[str, list[str]] = {}
        self.admins: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.headers["Authorization"].removeprefix("token ")
                if self.path != "/user":
                    name = self.path.removeprefix("/users/")
                found = hub.about(name)
                body = json.dumps(found or {}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def about(self, name: str) -> dict[str, Any] | None:
        if name not in self.groups:
            return None
        scopes = [*SCOPES, "custom:dlsys:admin"] if name in self.admins else SCOPES
        return {"kind": "user", "name": name, "groups": self.groups[name], "scopes": scopes}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Team:
    """The application, its hub, and a client for each person."""

    def __init__(self, home: Path, hub: HubApi, **settings: Any) -> None:
        self.hub = hub
        self.settings = Settings(
            home=home,
            identity="hub",
            hub_api_url=hub.url,
            hub_api_token="of-the-platform",
            hub_fresh_seconds=0,
            cpus=1,
            **settings,
        )
        home.mkdir(parents=True, exist_ok=True)
        self.app = create_app(self.settings, SECRET)
        self.projects = self.app.state.projects
        self.database = self.projects.database
        self.database.migrate()
        self.app.state.audit.start()

    def close(self) -> None:
        self.app.state.audit.close()
        self.database.close()

    def person(self, name: str, *groups: str) -> None:
        """Somebody with an account at the hub."""
        self.hub.groups[name] = list(groups)

    def project(self, name: str, **roles: str) -> None:
        """A project and the roles in it."""
        with self.database.write() as session:
            session.add(
                ProjectRow(name=name, owner="root", kind="shared", title="", created_at=clock.now())
            )
            for person, role in roles.items():
                session.add(
                    MemberRow(
                        project=name,
                        kind="user",
                        name=person,
                        role=role,
                        added_by="root",
                        added_at=clock.now(),
                    )
                )

    def api(self, who: str) -> TestClient:
        """The API as this person sees it; a token that begins with dlsys_ is taken as it is."""
        client = TestClient(self.app, base_url="http://dlsys/api/v1", raise_server_exceptions=False)
        client.headers["Authorization"] = f"Bearer {who}"
        return client

    def commit(self, who: str, path: str, filename: str, data: bytes, **fields: Any) -> Any:
        """Commit a file to the dataset at `path` ('/projects/p/datasets/d'); the answer."""
        api, project = self.api(who), path.partition("/datasets/")[0]
        upload = api.post(f"{project}/uploads", params={"filename": filename}).json()["id"]
        api.put(f"{project}/uploads/{upload}", params={"offset": 0}, content=data)
        body = {"files": [{"upload": upload}], **fields}
        return api.post(f"{path}/commits", json=body)


@contextmanager
def team(home: Path, **settings: Any) -> Iterator[Team]:
    """A team on a data folder of its own."""
    hub = HubApi()
    try:
        found = Team(home, hub, **settings)
        yield found
        found.close()
    finally:
        hub.close()
