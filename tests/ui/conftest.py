"""One real JupyterLab with token and XSRF on, and a browser, for the tests of this folder."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.support import chromium, ports
from tests.support.mlflow_databases import give_databases

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / ".results"
TOKEN = "a-token-of-the-ui-tests"
expect.set_options(timeout=15_000)  # a loaded machine is slow, not broken
EYES = {"happy": "^◕・˘", "sad": "T；╥ಥ", "angry": "ಠ`╬＃"}
MOUTHS = {"happy": "ω▽‿ᗜ", "sad": "_﹏Дm", "angry": "益皿д_"}


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    workspace: Path
    home: Path

    def api(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        """What the platform answers, past the page; `/path` is not below the project."""
        scoped = path[1:] if path.startswith("/") else f"projects/default/{path}"
        request = urllib.request.Request(
            f"{self.url}dlsys/api/v1/{scoped}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def write_notebook(self, name: str, *cells: str, parameters: int | None = None) -> None:
        """A notebook of code cells; the one at `parameters` has that tag."""
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        if parameters is not None:
            made.cells[parameters].metadata["tags"] = ["parameters"]
        nbformat.write(made, self.workspace / name)


@dataclass
class Screen:
    """The page, with what people do in it in short words."""

    page: Page
    lab: Lab
    errors: list[str]

    def load(self, query: str = "reset&") -> None:
        """Open Lab and wait until it stands."""
        self.page.goto(f"{self.lab.url}lab?{query}token={TOKEN}")
        self.page.wait_for_function("() => !!window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of the application without waiting for its end."""
        self.page.evaluate(
            "([c, a]) => void window.jupyterapp.commands.execute(c, a)", [name, arguments or {}]
        )

    def file_menu(self, filename: str, entry: str) -> None:
        """Right-click a file in the file browser and choose an entry."""
        self.command("filebrowser:activate")
        self.page.locator(".jp-DirListing-item", has_text=filename).click(button="right")
        self.page.locator(".lm-Menu-item", has_text=entry).click()

    @property
    def tab(self) -> Any:
        """The main-area view of ours that is on show."""
        return self.page.locator("#jp-main-dock-panel .jp-dlsys-View:visible")

    def badge(self) -> str:
        """The state in the header of the tab on show."""
        return str(self.tab.locator(".jp-dlsys-Header .jp-dlsys-Badge").first.inner_text())

    def wait_for_state(self, wanted: str, seconds: float) -> None:
        """Wait until the header says so; a failure tells what it said instead."""
        end = time.monotonic() + seconds
        while (seen := self.badge()) != wanted:
            said = self.tab.locator(".jp-dlsys-Reason").all_inner_texts()
            assert seen != "Failed", said
            assert time.monotonic() < end, f"still {seen} after {seconds} s: {said}"
            self.page.wait_for_timeout(300)

    def wait_for_ended(self, seconds: float = 120) -> str:
        """Wait until the header says that the job has ended, however."""
        end = time.monotonic() + seconds
        while (seen := self.badge()) not in ("Done", "Failed", "Cancelled", "Skipped", "Lost"):
            assert time.monotonic() < end, f"still {seen} after {seconds} s"
            self.page.wait_for_timeout(300)
        return seen

    def picture(self, name: str) -> Path:
        """Keep a screenshot."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def theme(self, name: str) -> None:
        """Change the theme and wait until it is on show."""
        self.command("apputils:change-theme", {"theme": name})
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        self.page.wait_for_timeout(800)


@pytest.fixture(scope="module")
def lab(session_root: Path) -> Iterator[Lab]:
    """JupyterLab on a workspace with data and the example notebook, under a base URL of its own."""
    root = Path(tempfile.mkdtemp(prefix="u", dir=session_root))  # each file has a Lab of its own
    workspace, home = root / "ws", root / "uihome"
    workspace.mkdir()
    home.mkdir()
    _write_data(workspace)
    shutil.copy(ROOT / "examples" / "train_text.ipynb", workspace)
    port = ports.free_port()
    dlsys = root / "uidl"
    dlsys.mkdir(mode=0o700)
    give_databases(dlsys)
    environment = _environment(root, home, dlsys)
    log = (root / "lab.log").open("wb")
    process = subprocess.Popen(
        _command(port, workspace), cwd=workspace, env=environment, stdout=log, stderr=log
    )
    found = Lab(f"http://127.0.0.1:{port}/x/", workspace, dlsys)
    try:
        _wait(found, process, root / "lab.log")
        yield found
    finally:
        _end(process, dlsys)
        log.close()


def _command(port: int, workspace: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        "--allow-root",
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={workspace}",
        "--ServerApp.base_url=/x/",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]


def _environment(root: Path, home: Path, dlsys: Path) -> dict[str, str]:
    """Without a person's own settings, and with the bundle that was built last."""
    bundle = root / "jp" / "labextensions"
    bundle.mkdir(parents=True)
    shutil.copytree(ROOT / "jupyter_dlsys" / "labextension", bundle / "jupyter-dlsys")
    overrides = root / "jc" / "labconfig"
    overrides.mkdir(parents=True, exist_ok=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    (overrides / "default_setting_overrides.json").write_text(json.dumps(quiet))
    return {
        **os.environ,
        "HOME": str(home),
        "DLSYS_HOME": str(dlsys),
        "JUPYTER_PATH": str(root / "jp"),
        "JUPYTER_CONFIG_DIR": str(root / "jc"),
    }


def _write_data(workspace: Path) -> None:
    chance = random.Random(7)
    rows = []
    for label, count in {"happy": 160, "sad": 110, "angry": 70}.items():
        for _ in range(count):
            eye, mouth = chance.choice(EYES[label]), chance.choice(MOUTHS[label])
            rows.append(
                (f"({eye}{mouth}{eye}){chance.choice('!ﾉ٩~♪') * chance.randint(0, 3)}", label)
            )
    chance.shuffle(rows)
    for name, content in {
        "kaomoji.csv": rows,
        "more.csv": [("(¬‿¬)", "smug"), ("(￢ω￢)", "smug"), ("(^▽^)", "happy")],
        "bad.csv": [*rows[:5], ("", "happy")],
    }.items():
        with (workspace / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *content])


def _wait(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{lab.url}api/status?token={TOKEN}", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes], dlsys: Path) -> None:
    """End Lab, then the platform that it started; both end what they started themselves."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    told = dlsys / "platform.json"
    if told.exists():
        pid = json.loads(told.read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 20
        while told.exists() and time.monotonic() < end:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as found:
        yield found


@pytest.fixture(scope="module")
def screen(lab: Lab, browser: Browser) -> Iterator[Screen]:
    """A page for one story."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    made = Screen(page, lab, chromium.own_errors(page))
    made.load()
    yield made
    context.close()


@pytest.fixture(autouse=True)
def _picture_of_a_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    outcome = getattr(request.node, "outcome_of_call", None)
    if outcome == "failed" and "screen" in request.fixturenames:
        try:
            request.getfixturevalue("screen").picture(f"failed-{request.node.name}")
        except Error:
            return


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixture above know how a test went."""
    report = yield
    if report.when == "call":
        item.outcome_of_call = report.outcome  # type: ignore[attr-defined]
    return report
