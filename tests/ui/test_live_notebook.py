"""A running job as a notebook: seen live, over reloads and crashes. One story, in order."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Route, expect

from .conftest import TOKEN, Lab, Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP8z0AaYCJR/aiGUQ1DSAMAQC4BH2bjRnMA"
    "AAAASUVORK5CYII="
)
WAIT = "import pathlib, time\nwhile not pathlib.Path({path!r}).exists(): time.sleep(0.05)"
OF_ALL_KINDS = [
    "import sys\nprint('plain', 'words')\nprint('\\x1b[31mred words\\x1b[0m')\n"
    "print('a complaint', file=sys.stderr)",
    "from IPython.display import HTML, Markdown, display\n"
    f"display({{'image/png': {PNG!r}, 'text/plain': 'a picture'}}, raw=True)\n"
    "display(HTML('<table><tr><td>a table cell</td></tr></table>'\n"
    '  \'<script>window.hacked = 1</script><img src="x:" onerror="window.hacked = 1">\'))\n'
    "script = {'application/javascript': 'window.hacked = 1', 'text/plain': 'no script'}\n"
    "display(script, raw=True)\n"
    "Markdown('**strong** words')",
    "import sys\nfor i in range(1, 301):\n"
    "    print(f'\\rstep {i}/300', end='', file=sys.stderr, flush=True)",
    "from IPython.display import clear_output, display\n"
    "handle = display('first thought', display_id=True)\nhandle.update('second thought')\n"
    "print('to be cleared')",
    "print('cleared away')\nclear_output(wait=True)\nprint('what stays')",
    "from tqdm.notebook import tqdm\nfor _ in tqdm(range(40), desc='epochs'): pass\n"
    "import ipywidgets as w\n"
    "words = w.HTML('<b>bold</b><script>window.hacked = 1</script>')\n"
    "w.VBox([words, w.Button(description='Press'), w.IntSlider(value=7, description='depth'),"
    " w.Dropdown(options=['sgd', 'adam'], index=1)])",
]


class Jobs:
    """Jobs submitted as a program would, through Lab's own server."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.api = httpx.Client(
            base_url=f"{lab.url}dlsys/api/v1/",
            headers={"Authorization": f"token {TOKEN}"},
            timeout=60,
        )

    def submit(self, name: str, *cells: str, **more: Any) -> str:
        written = [
            {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "id": f"c{i}"}
            | {"execution_count": None}
            for i, c in enumerate(cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {
            "cells": written,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        body = {"source": {"path": f"{name}.ipynb", "content": json.dumps(notebook)}, **more}
        end = time.monotonic() + 60
        while (answer := self.api.post("projects/default/jobs", json=body)).status_code == 503:
            assert time.monotonic() < end, answer.text
            time.sleep(0.5)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def state(self, job: str) -> str:
        return str(self.api.get(f"projects/default/jobs/{job}").json()["state"])

    def gate(self, name: str) -> Path:
        """A file that a cell waits for."""
        return self.lab.workspace / f"gate-{name}"

    def waits(self, name: str) -> str:
        return WAIT.format(path=str(self.gate(name)))


@pytest.fixture(scope="module")
def jobs(lab: Lab) -> Iterator[Jobs]:
    made = Jobs(lab)
    yield made
    made.api.close()


def opened(screen: Screen, job: str) -> Locator:
    """Its notebook."""
    screen.command("dlsys:open-job", {"id": job})
    screen.tab.get_by_role("tab", name="Notebook").click()
    cells: Locator = screen.tab.locator(".jp-dlsys-Notebook")
    expect(cells).to_be_visible(timeout=60_000)
    return cells


def cell(cells: Locator, index: int) -> Locator:
    return cells.locator(".jp-dlsys-Cell").nth(index)


def check_all_kinds(screen: Screen, cells: Locator) -> None:
    """Each output of the six cells is there, once, as a notebook shows it."""
    first = cell(cells, 0).locator(".jp-OutputArea-output")
    expect(first).to_have_count(2)
    expect(first.nth(0)).to_contain_text("plain words")
    expect(first.nth(0).locator(".ansi-red-fg")).to_have_text("red words")
    expect(
        cell(cells, 0).locator("[data-mime-type='application/vnd.jupyter.stderr']")
    ).to_have_text(re.compile("a complaint"))
    rich = cell(cells, 1).locator(".jp-OutputArea-output")
    expect(rich).to_have_count(4)
    assert rich.nth(0).locator("img").evaluate("e => e.complete && e.naturalWidth") == 16
    expect(rich.nth(1).locator("td")).to_have_text("a table cell")
    expect(rich.nth(2)).to_have_text("no script")
    expect(rich.nth(3).locator("strong")).to_have_text("strong")
    expect(cell(cells, 2).locator(".jp-OutputArea-output")).to_have_text(
        re.compile(r"^\s*step 300/300\s*$")
    )
    expect(cell(cells, 3)).to_contain_text("second thought")
    expect(cell(cells, 3).locator(".jp-OutputArea-output")).not_to_contain_text(["first thought"])
    expect(cell(cells, 4).locator(".jp-OutputArea-output")).to_have_text(
        re.compile(r"^\s*what stays\s*$")
    )
    bar = cell(cells, 5).get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    widgets = cell(cells, 5).locator(".jp-dlsys-Widget")
    expect(widgets.nth(0)).to_contain_text("40/40")
    expect(widgets.nth(1).locator("b")).to_have_text("bold")
    expect(widgets.nth(1).get_by_role("button", name="Press")).to_be_disabled()
    expect(widgets.nth(1)).to_contain_text("adam")
    assert screen.page.evaluate("() => window.hacked") is None


def test_outputs_of_all_kinds_come_while_the_notebook_runs(screen: Screen, jobs: Jobs) -> None:
    job = jobs.submit("kinds", *OF_ALL_KINDS, jobs.waits("kinds"), "1 / 0")
    cells = opened(screen, job)
    expect(cell(cells, 6)).to_have_class(re.compile("jp-mod-running"), timeout=90_000)
    check_all_kinds(screen, cells)
    screen.picture("live-kinds")


def test_a_reload_in_the_middle_shows_everything_once(screen: Screen, jobs: Jobs) -> None:
    screen.page.wait_for_timeout(1500)  # the layout is saved a moment after it changed
    screen.load("")
    cells = screen.tab.locator(".jp-dlsys-Notebook")
    expect(cell(cells, 6)).to_have_class(re.compile("jp-mod-running"), timeout=60_000)
    check_all_kinds(screen, cells)
    jobs.gate("kinds").touch()
    expect(cell(cells, 7)).to_contain_text("ZeroDivisionError", timeout=30_000)
    expect(cell(cells, 7)).to_have_class(re.compile("jp-mod-failed"))
    expect(screen.tab.locator(".jp-dlsys-Header .jp-dlsys-Badge").first).to_have_text(
        "Failed", timeout=30_000
    )
    screen.page.wait_for_timeout(1500)  # now the saved notebook takes the place of the events
    check_all_kinds(screen, cells)
    expect(cell(cells, 7).locator(".jp-OutputArea-output")).to_have_count(1)
    for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
        screen.theme(theme)
        cell(cells, 7).scroll_into_view_if_needed()
        screen.picture("live-" + theme.removeprefix("JupyterLab ").replace(" ", "-").lower())


def test_run_again_opens_the_new_job(screen: Screen) -> None:
    name = "kinds"
    screen.tab.get_by_role("button", name="Run again").click()
    expect(screen.tab.get_by_text("Retry of")).to_be_visible()
    expect(screen.tab.get_by_role("heading", name=name)).to_be_visible()
    screen.wait_for_ended()
    screen.command("application:close")


def test_the_notebook_opens_as_a_document(screen: Screen, jobs: Jobs) -> None:
    screen.tab.get_by_role("button", name="Open as a notebook").click()
    panel = screen.page.locator(".jp-NotebookPanel:visible")
    expect(panel.locator(".jp-OutputArea-output").first).to_contain_text("plain words")
    kept = jobs.lab.workspace / "kinds (executed).ipynb"
    assert "ZeroDivisionError" in kept.read_text()
    idle = panel.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle).to_be_visible(timeout=60_000)  # closed earlier, Lab complains in the console
    screen.command("application:close")
    # Lab notes the kernel in the document, which is a change that it may ask about
    asked = screen.page.locator(".jp-Dialog").get_by_role("button", name="Discard")
    screen.page.add_locator_handler(asked, lambda button: button.click())
    expect(panel).to_have_count(0)


def test_a_platform_that_dies_loses_and_repeats_nothing(screen: Screen, jobs: Jobs) -> None:
    lines = "for i in range(400):\n    print('line', i, flush=True)\n    time.sleep(0.03)"
    job = jobs.submit("crash", "import time\n" + lines, jobs.waits("crash"))
    cells = opened(screen, job)
    expect(cell(cells, 0).locator(".jp-OutputArea-output")).to_contain_text(
        "line 20", timeout=90_000
    )
    pid = json.loads((jobs.lab.home / "platform.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    expect(cell(cells, 1)).to_have_class(re.compile("jp-mod-running"), timeout=120_000)
    assert json.loads((jobs.lab.home / "platform.json").read_text())["pid"] != pid
    shown = cell(cells, 0).locator(".jp-OutputArea-output")
    expect(shown).to_have_count(1)
    wanted = "\n".join(f"line {i}" for i in range(400))
    assert shown.inner_text().strip() == wanted
    screen.load("")
    expect(cell(cells, 1)).to_have_class(re.compile("jp-mod-running"), timeout=60_000)
    assert cell(cells, 0).locator(".jp-OutputArea-output").inner_text().strip() == wanted
    jobs.gate("crash").touch()
    screen.wait_for_state("Done", 60)


def test_cancel_is_answered_at_once(screen: Screen, jobs: Jobs) -> None:
    job = jobs.submit("stop", "print('begun', flush=True)\nimport time; time.sleep(600)")
    cells = opened(screen, job)
    expect(cell(cells, 0)).to_contain_text("begun", timeout=90_000)
    screen.tab.get_by_role("button", name="Cancel").click()
    expect(screen.tab.locator(".jp-dlsys-Header .jp-dlsys-Badge").first).to_have_text(
        re.compile("Stopping|Cancelled"), timeout=500
    )
    screen.wait_for_state("Cancelled", 20)
    expect(cell(cells, 0)).to_contain_text("begun")


def test_usage_is_drawn_while_the_job_runs(screen: Screen, jobs: Jobs) -> None:
    gate = str(jobs.gate("busy"))
    job = jobs.submit("busy", f"import os\nwhile not os.path.exists({gate!r}): pass")
    opened(screen, job)
    screen.tab.get_by_role("tab", name="Usage").click()
    chart = screen.tab.locator(".jp-dlsys-Chart", has_text="CPU cores busy")
    expect(chart.locator("svg")).to_be_visible(timeout=90_000)
    memory = screen.tab.locator(".jp-dlsys-Chart", has_text="Memory").locator(".jp-mod-number")
    expect(memory).to_have_text(re.compile(r"\d+ MB"), timeout=30_000)
    screen.page.wait_for_timeout(7000)
    screen.picture("live-usage")
    jobs.gate("busy").touch()
    screen.wait_for_state("Done", 60)


def test_a_hundred_megabytes_leave_the_page_usable(screen: Screen, jobs: Jobs) -> None:
    cells = opened(
        screen,
        jobs.submit(
            "flood",
            "for i in range(1000): print(('%06d ' % i) * 14_000)",
            "from IPython.display import HTML, display\ndisplay(HTML('<p>row</p>' * 300_000))",
            "print('after the flood')",
        ),
    )
    expect(cell(cells, 2).locator(".jp-OutputArea-output")).to_have_text(
        re.compile("after the flood"), timeout=180_000
    )
    screen.wait_for_state("Done", 60)
    assert longest_freeze(screen, lambda: screen.tab.get_by_role("tab", name="Log").click()) < 1500
    screen.tab.get_by_role("tab", name="Notebook").click()
    expect(cell(cells, 0)).to_contain_text("of text; this is its end")
    expect(cell(cells, 0)).to_contain_text("the rest is not kept")
    show = cell(cells, 0).get_by_role("button", name="Show all")
    assert longest_freeze(screen, show.click) < 3000
    expect(cell(cells, 0).locator(".jp-dlsys-LongText")).to_contain_text("000000 000000")
    screen.picture("live-flood")


def longest_freeze(screen: Screen, action: Any) -> float:
    """Milliseconds for which the page did not answer while `action` was done, at the longest."""
    screen.page.evaluate(
        """() => { let last = performance.now(); window.freeze = 0;
          window.frozen = setInterval(() => { const now = performance.now();
            window.freeze = Math.max(window.freeze, now - last); last = now; }, 20); }"""
    )
    action()
    screen.page.wait_for_timeout(1500)
    return float(screen.page.evaluate("() => (clearInterval(window.frozen), window.freeze)"))


def test_a_job_that_ends_while_its_page_loads_is_shown_as_it_ended(
    screen: Screen, jobs: Jobs
) -> None:
    job = jobs.submit("brief", jobs.waits("brief"))
    held = []

    def hold(route: Route) -> None:
        """The first answer about the job comes when what it says is no longer so."""
        if held:
            route.continue_()
            return
        answer = route.fetch()
        held.append(answer.json()["state"])
        jobs.gate("brief").touch()
        end = time.monotonic() + 60
        while jobs.state(job) != "succeeded":
            assert time.monotonic() < end
            time.sleep(0.1)
        route.fulfill(response=answer)

    shown = re.compile(rf"/jobs/{job}(\?\d+)?$")  # Lab adds the time
    screen.page.route(shown, hold)
    opened(screen, job)
    screen.wait_for_state("Done", 20)
    screen.page.unroute(shown)
    assert held[0] in ("queued", "starting", "running")


def test_twenty_thousand_events_are_there_at_once(screen: Screen, jobs: Jobs) -> None:
    job = jobs.submit(
        "many",
        "from IPython.display import display\nhandle = display('at 0', display_id=True)\n"
        "import time\nfor i in range(1, 20_001):\n    handle.update(f'at {i}')\n"
        "    if i % 100 == 0: time.sleep(0.02)",
        jobs.waits("many"),
    )
    cells = opened(screen, job)
    expect(cell(cells, 1)).to_have_class(re.compile("jp-mod-running"), timeout=240_000)
    screen.command("application:close")
    small = jobs.submit("small", "1 + 1")
    opened(screen, small)
    screen.wait_for_state("Done", 30)
    screen.command("application:close")
    screen.page.wait_for_timeout(500)
    began = time.monotonic()
    cells = opened(screen, small)
    expect(cell(cells, 0)).to_contain_text("1 + 1")
    usual = time.monotonic() - began
    screen.command("application:close")
    screen.page.wait_for_timeout(500)
    began = time.monotonic()
    cells = opened(screen, job)
    expect(cell(cells, 0)).to_contain_text("display")
    usable = time.monotonic() - began
    expect(cell(cells, 0).locator(".jp-OutputArea-output")).to_contain_text(
        "at 20000", timeout=30_000
    )
    complete = time.monotonic() - began
    print(
        f"20,000 events: usable after {usable:.2f} s (a small job {usual:.2f} s), "
        f"complete after {complete:.2f} s"
    )
    assert usable < max(2, 3 * usual)  # the second on a machine that does much else
    assert complete < max(10, 15 * usual)
    jobs.gate("many").touch()
    screen.wait_for_state("Done", 60)


def test_nothing_went_wrong_in_the_browser(screen: Screen) -> None:
    assert screen.errors == []
