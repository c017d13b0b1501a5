"""`make hub`: a hub with sample users on this machine, until Ctrl-C.

Starts JupyterHub with jupyterhub_config.py beside this file, waits for it and the platform,
commits the demo's data as the person whose work that is, and says who can log in.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import demo_users
import httpx
import psutil

from jupyter_dlsys import connect
from jupyter_dlsys.cli import demo_data

HERE = Path(__file__).resolve().parent
PROXY = HERE / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
START_SECONDS, STOP_SECONDS = 120.0, 30.0
PORTS = range(10_000, 20_000)
"""Below those of outgoing connections: one of these could take a free port before its server."""
MAY = {
    "ann": "data scientist in vision and language, maintainer of vision: trains, deploys, invites",
    "dan": "data engineer in vision and language: commits data; cannot train or deploy",
    "vic": "product viewer: sees vision and language, changes nothing",
    "pat": "platform engineer: the hub's admin page, the platform's administration",
    "eve": "nobody yet: logs in, has a server, and sees nothing of the platform",
}


class Demo:
    """The hub, its proxy, the platform and all that they start; a folder has all their files."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state.resolve()
        self.url = f"http://127.0.0.1:{_free(port)}"
        self.platform_url = f"http://127.0.0.1:{_free()}"
        self.passwords: dict[str, str] = {}
        self._hub: subprocess.Popen[bytes] | None = None
        self._begun = time.time()

    @property
    def platform(self) -> str:
        """Where the platform is, through the proxy."""
        return f"{self.url}/services/dlsys"

    def start(self) -> None:
        """Return when people can log in."""
        os.umask(0o077)
        for user in demo_users.USERS:
            (self.state / "homes" / user).mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        self.passwords = demo_users.write(self.state / "users.json", demo_users.USERS)
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("JUPYTERHUB_")},
            "DLSYS_HUB_DEMO": "1",
            "DLSYS_HUB_URL": self.url,
            "DLSYS_LAUNCHER": os.environ.get("DLSYS_LAUNCHER", "agent"),
            "DLSYS_HUB_API": f"http://127.0.0.1:{_free()}",
            "DLSYS_HUB_PROXY": f"node {PROXY}",
            "DLSYS_HUB_PROXY_API": f"http://127.0.0.1:{_free()}",
            "DLSYS_HUB_STATE": str(self.state),
            "DLSYS_HOME": str(self.state / "platform"),
            "DLSYS_PLATFORM_URL": self.platform_url,
        }
        command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "jupyterhub_config.py")]
        with (self.state / "hub.log").open("wb") as log:
            self._hub = subprocess.Popen(  # a session of its own: Ctrl-C is ours to handle
                command,
                cwd=self.state,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(f"{self.url}/hub/api/", "the hub")
        self._wait(f"{self.platform}/api/v1/health", "the platform")

    def ended(self) -> bool:
        """Whether the hub is gone."""
        return self._hub is None or self._hub.poll() is not None

    def stop(self) -> None:
        """End everything: the hub ends its own, then whoever still has a file of ours."""
        if self._hub is not None and not self.ended():
            self._hub.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._hub.wait(STOP_SECONDS)
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _ours(self) -> Iterator[psutil.Process]:
        """Younger ones whose environment names the folder: jobs outlive the platform on purpose."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                young = process.create_time() >= self._begun - 1 and process.pid != os.getpid()
                if young and any(str(self.state) in text for text in process.environ().values()):
                    yield process

    def _wait(self, url: str, what: str) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and not self.ended():
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(url, trust_env=False).status_code == 200:
                    return
            time.sleep(0.3)
        log = (self.state / "hub.log").read_text("utf-8", "replace").splitlines()
        raise SystemExit("\n".join([*log[-15:], f"{what} did not start: {self.state / 'hub.log'}"]))

    # -- as one of the users

    def token(self, user: str, *scopes: str, seconds: int = 600) -> str:
        """A token that the user makes with his password, as the hub's token page does."""
        with self.login(user) as http:
            answer = http.post(
                f"/hub/api/users/{user}/tokens",
                json={"note": "demo", "expires_in": seconds, "scopes": list(scopes)},
                headers={"X-XSRFToken": xsrf(http)},
            )
            answer.raise_for_status()
            return str(answer.json()["token"])

    @contextlib.contextmanager
    def login(self, user: str) -> Iterator[httpx.Client]:
        """A browser in which the user has logged in."""
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            http.get("/hub/login")
            form = {"username": user, "password": self.passwords[user], "_xsrf": xsrf(http)}
            http.post("/hub/login", data=form)
            yield http

    def commit_data(self) -> None:
        """The demo's data, by dan, unless an earlier start left it here."""
        token = self.token("dan", "access:services!service=dlsys", "custom:dlsys:write")
        with tempfile.TemporaryDirectory(dir=self.state) as folder:
            with connect(self.platform, token, "language") as client:
                if not any(d.name == "kaomoji" for d in client.datasets.list()):
                    file = Path(folder) / "kaomoji.jsonl"
                    demo_data.write_kaomoji(demo_data.FIRST_LABELS, file)
                    client.datasets.create("kaomoji", "text-classification")
                    client.datasets.commit("kaomoji", file, message="From kaomoji-dataset")
            with connect(self.platform, token, "vision") as client:
                if not any(d.name == "digits" for d in client.datasets.list()):
                    demo_data.write_digits(Path(folder) / "digits")
                    client.datasets.create("digits", "image-classification")
                    client.datasets.commit("digits", Path(folder) / "digits", message="8x8 digits")


def xsrf(http: httpx.Client) -> str:
    """The hub's cookie for its own pages; there is one for each path."""
    return next(c.value or "" for c in http.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")


def _free(port: int = 0) -> int:
    """This port if nobody has it, else any."""
    wanted = [port] if port else []
    return next(p for p in [*wanted, *random.sample(PORTS, 200)] if _is_free(p))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> None:
    """Entry point of `make hub`."""
    parser = argparse.ArgumentParser(prog="make hub", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".hub"), help="folder for all files")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-data", action="store_true", help="leave the projects empty")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    demo = Demo(options.state, options.port)
    print("Starting the hub and the platform", flush=True)
    try:
        demo.start()
        if not options.no_data:
            demo.commit_data()
        print(f"\n{demo.url}\n\n  user  password       may")
        for user, password in demo.passwords.items():
            print(f"  {user}   {password:<13}  {MAY[user]}")
        print(f"\nPasswords are for this start only. Log: {demo.state / 'hub.log'}")
        print("The demo separates people by token, not by OS account: this machine only.")
        print(f"It makes no accounts. Servers, and the jobs in them, run as {getpass.getuser()};")
        print("a person's jobs wait until that person's server runs.")
        print("Ctrl-C ends everything.", flush=True)
        while not demo.ended():
            time.sleep(0.5)
        sys.exit("The hub ended; its log says why.")
    except KeyboardInterrupt:
        print("\nStopping")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a closed terminal sends two
            signal.signal(number, signal.SIG_IGN)
        demo.stop()


if __name__ == "__main__":
    main()
