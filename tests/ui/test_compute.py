"""What there is, who uses it, who waits for it. One story, in order."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]

BUSY = """
import os, time
deadline = time.time() + 120
while time.time() < deadline and not os.path.exists({flag!r}):
    sum(i * i for i in range(200_000))
"""


def submit(screen: Screen, name: str, cpus: float, code: str) -> str:
    body: dict[str, Any] = {
        "source": {"path": f"{name}.py", "content": code},
        "name": name,
        "resources": {"cpus": cpus},
    }
    return str(screen.lab.api("jobs", "POST", body)["id"])


def test_the_status_bar_opens_it(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    expect(screen.page.get_by_text("Nothing has run yet")).to_be_visible(timeout=60_000)
    status = screen.page.locator(".jp-dlsys-Status:visible")
    expect(status).to_have_text(re.compile(r"^(CPU|GPU) [\d.]+/[\d.]+$"))
    status.click()
    expect(screen.tab.get_by_role("heading", name="Compute")).to_be_visible()
    expect(screen.tab.get_by_role("meter", name="CPU")).to_be_visible(timeout=30_000)
    expect(screen.tab.get_by_text("Nothing runs now.")).to_be_visible()
    expect(screen.tab.get_by_text("Nothing waits.")).to_be_visible()


def test_a_job_is_seen_with_what_it_uses(screen: Screen) -> None:
    (worker,) = screen.lab.api("/workers")
    flag = screen.lab.workspace / "enough"
    submit(screen, "busy", worker["cpus"], BUSY.format(flag=str(flag)))
    running = screen.tab.get_by_role("region", name="Running jobs")
    row = running.locator("tbody tr", has_text="busy")
    expect(row).to_contain_text("Running", timeout=60_000)
    expect(row.get_by_role("img", name="CPUs of busy")).to_be_visible(timeout=60_000)
    expect(row).to_contain_text(re.compile(r"[\d.]+ of [\d.]+"))
    meter = screen.tab.get_by_role("meter", name="CPU")
    expect(meter).to_have_attribute("aria-valuenow", str(worker["cpus"]).removesuffix(".0"))


def test_the_queue_is_in_order_with_reasons(screen: Screen) -> None:
    submit(screen, "second", 1, "print(1)")
    submit(screen, "third", 1, "print(1)")
    queue = screen.tab.get_by_role("region", name="Queue")
    expect(queue.locator("tbody tr")).to_have_count(2, timeout=10_000)
    first, second = queue.locator("tbody tr").all()
    expect(first).to_contain_text("second")
    expect(second).to_contain_text("third")
    expect(first.locator("td").nth(3)).not_to_be_empty()
    expect(screen.page.locator(".jp-dlsys-Status:visible")).to_contain_text("2 queued")
    screen.command("dlsys:open-panel")
    compute = screen.page.get_by_role("region", name="Compute").first
    expect(compute).to_contain_text("2 queued")
    screen.picture("compute")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_it_fits_dark_themes(screen: Screen, theme: str) -> None:
    screen.theme(theme)
    screen.picture(f"compute-{theme.removeprefix('JupyterLab ').lower().replace(' ', '-')}")
    screen.theme("JupyterLab Light")


def test_it_empties_by_itself(screen: Screen) -> None:
    (screen.lab.workspace / "enough").touch()
    expect(screen.tab.get_by_text("Nothing waits.")).to_be_visible(timeout=60_000)
    expect(screen.tab.get_by_text("Nothing runs now.")).to_be_visible(timeout=60_000)
    expect(screen.page.locator(".jp-dlsys-Status:visible")).not_to_contain_text("queued")


def test_an_idle_kernel_is_shut_down(screen: Screen) -> None:
    screen.lab.write_notebook("idle.ipynb", "1")
    screen.command("docmanager:open", {"path": "idle.ipynb", "kernel": {"name": "python3"}})
    screen.page.wait_for_function(
        "() => [...window.jupyterapp.serviceManager.kernels.running()].length > 0"
    )
    screen.command("dlsys:open-compute")
    section = screen.tab.get_by_role("region", name="Idle kernels")
    expect(section).to_contain_text("None: every kernel here", timeout=30_000)
    # nothing can be made to be idle for ten minutes but the clock
    screen.page.clock.install()
    screen.page.clock.fast_forward("20:00")
    expect(section).to_contain_text("idle.ipynb", timeout=30_000)
    screen.picture("compute-idle")
    section.get_by_role("button", name="Shut down").click()
    expect(section).to_contain_text("No kernel runs")
    screen.page.wait_for_function(
        "() => [...window.jupyterapp.serviceManager.kernels.running()].length === 0"
    )


def test_it_is_there_after_a_reload(screen: Screen) -> None:
    screen.page.wait_for_timeout(1500)
    screen.load(query="")
    screen.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text="Compute").click()
    expect(screen.tab.get_by_role("meter", name="CPU")).to_be_visible(timeout=60_000)


def test_nothing_went_wrong_in_the_page(screen: Screen) -> None:
    assert screen.errors == []
