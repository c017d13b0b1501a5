"""The platform's hand on the gateway: starts or adopts it, writes its routes, asks its state.

The gateway outlives a crash of the platform; the next platform finds it by its lock and socket.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from dlsys_server.access.tokens import digest
from dlsys_server.core.errors import Refused, Unavailable
from dlsys_server.core.ports import listen
from jupyter_dlsys.contract.system import PartHealth

log = logging.getLogger(__name__)
START_SECONDS = 30.0
STATUS_AGE = 0.5
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")


class GatewayControl:
    """Thread-safe. `token` opens every endpoint and is known to the platform only."""

    def __init__(self, folder: Path, host: str, port: int, token: str = "") -> None:
        self.folder, self.host, self.port = folder, host, port
        self.token = token or f"dlsys_platform_{secrets.token_urlsafe(32)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._status: tuple[float, dict[str, Any]] = (0.0, {})
        self._error = ""

    @property
    def url(self) -> str:
        """Where programs reach the endpoints."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads((self.folder / "gateway.json").read_text())["url"])
        return f"http://{self.host}:{self._chosen_port()}"

    def running(self) -> bool:
        """Whether a gateway holds the lock."""
        try:
            with (self.folder / "gateway.lock").open("a+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def health(self) -> PartHealth:
        """For /health; 'off' while nothing is deployed."""
        if self._error:
            return PartHealth(name="gateway", state="failed", message=self._error)
        state = "ok" if self.running() else "off"
        return PartHealth(name="gateway", state="ok" if state == "ok" else "off")

    def ensure(self) -> None:
        """Start the gateway unless one runs.

        Raises:
            Unavailable: it does not come up.
        """
        with self._lock:
            if self.running() and self._answers():
                self._error = ""
                return
            if not self.running():
                self._spawn()
            end = time.monotonic() + START_SECONDS
            while time.monotonic() < end:
                if self._answers():
                    self._error = ""
                    return
                time.sleep(0.05)
            self._error = "The model gateway does not start; see logs/gateway.log."
            raise Unavailable(self._error, hint="`dlsys doctor` shows more.", retry_after=5)

    def _spawn(self) -> None:
        logs = self.folder.parent / "logs"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "dlsys_server.serving.gateway"]
        command += ["--folder", str(self.folder), "--host", self.host]
        command += ["--port", str(self._chosen_port())]
        with (logs / "gateway.log").open("ab") as out:
            self._process = subprocess.Popen(
                command,
                env={k: os.environ[k] for k in KEPT_VARIABLES if k in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _chosen_port(self) -> int:
        """The configured port, else the last one, else a free one; kept for the next start."""
        if self.port:
            return self.port
        file = self.folder / "port"
        with contextlib.suppress(OSError, ValueError):
            return int(file.read_text())
        with listen(self.host) as probe:
            port = int(probe.getsockname()[1])
        file.write_text(str(port))
        return port

    def write_routes(self, deployments: dict[str, Any], tokens: dict[str, Any]) -> None:
        """Replace routes.json: temp file, fsync, rename."""
        platform = {digest(self.token): {"subject": "platform", "project": "*", "deployments": "*"}}
        routes = {
            "revision": time.time_ns(),
            "deployments": deployments,
            "tokens": {**tokens, **platform},
        }
        path = self.folder / "routes.json"
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(routes, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(path)

    def tokens(self) -> dict[str, Any]:
        """Programs' tokens that were written last."""
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
            found = json.loads((self.folder / "routes.json").read_text())["tokens"]
            return {key: entry for key, entry in found.items() if entry["project"] != "*"}
        return {}

    def used(self) -> dict[str, float]:
        """When each token (by its digest) was used since this was asked last."""
        with contextlib.suppress(Unavailable, Refused):
            return dict(self._ask("POST", "/used", None, 2)["tokens"])
        return {}

    def apply(self, timeout: float = 240, retry: str = "") -> dict[str, Any]:
        """Let the gateway read its routes and wait until it has settled."""
        body: dict[str, Any] = {"timeout": timeout}
        if retry:
            body["retry"] = [retry]
        return self._ask("POST", "/apply", body, timeout + 10)

    def replay(self, deployment: str, version: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Send inputs to a version that is warm but not yet answering."""
        body = {"deployment": deployment, "version": version, "inputs": inputs}
        return self._ask("POST", "/replay", body, 120)

    def status(self) -> dict[str, Any]:
        """State of all endpoints, at most half a second old; {} when there is no gateway."""
        at, found = self._status
        if time.monotonic() - at < STATUS_AGE:
            return found
        try:
            found = self._ask("GET", "/status", None, 2) if self.running() else {}
        except Unavailable:
            found = {}
        self._status = (time.monotonic(), found)
        return found

    def stop(self) -> None:
        """End the gateway and its workers."""
        if not self.running():
            return
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads((self.folder / "gateway.json").read_text())["pid"])
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 15
            while self.running() and time.monotonic() < end:
                time.sleep(0.05)
            if self.running():
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(5)

    def _answers(self) -> bool:
        if self._process is not None:
            self._process.poll()
        try:
            self._ask("GET", "/status", None, 1)
        except Unavailable:
            return False
        return True

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        transport = httpx.HTTPTransport(verify=False, uds=str(self._socket()))
        try:
            with httpx.Client(transport=transport, timeout=timeout) as client:
                answer = client.request(method, f"http://gateway{path}", json=body)
                found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                f"The model gateway does not answer: {type(error).__name__}.",
                hint="It is started again by itself; try once more.",
                retry_after=2,
            ) from None
        if answer.status_code >= 400:
            detail = str(found.get("error") or found.get("detail") or answer.text)
            raise Refused(detail, code="gateway-refused", hint="Look at the deployment's message.")
        return found

    def _socket(self) -> Path:
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = json.loads((self.folder / "gateway.json").read_text())
            if "socket" in found:
                return Path(found["socket"])
        return self.folder / "gateway.sock"
