"""The lab by mouse and keyboard, from data to prediction and lineage. One story, in order."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import ROOT, Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]


def keep(picture: Path, name: str) -> None:
    """Also put a picture into the documentation, when asked to."""
    if os.environ.get("WRITE_IMAGES"):
        (ROOT / "docs" / "images").mkdir(exist_ok=True)
        shutil.copy(picture, ROOT / "docs" / "images" / name)


def test_the_panel_says_what_to_do_first(screen: Screen) -> None:
    page = screen.page
    page.locator(".lm-TabBar-tab[data-id='dlsys-panel']").click()
    expect(page.get_by_text("Start with data")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    expect(page.get_by_text("No model yet")).to_be_visible(timeout=60_000)
    screen.picture("empty")


def test_a_refused_commit_names_row_and_column(screen: Screen) -> None:
    screen.file_menu("bad.csv", "Commit as Dataset")
    screen.tab.get_by_role("button", name="Commit", exact=True).click()
    row = screen.tab.locator(".jp-dlsys-Problem tbody tr").first
    expect(row.locator("td").nth(0)).to_have_text("6")
    expect(row.locator("td").nth(1)).to_have_text("text")
    screen.command("application:close")
    screen.command("dlsys:open-panel")
    expect(screen.page.get_by_text("Start with data")).to_be_visible()


def test_a_file_becomes_a_dataset(screen: Screen) -> None:
    screen.file_menu("kaomoji.csv", "Commit as Dataset")
    screen.tab.get_by_label("Message").fill("first texts")
    screen.tab.get_by_label("Tags").fill("source=test")
    screen.page.keyboard.press("Enter")
    screen.tab.get_by_role("button", name="Commit", exact=True).click()
    expect(screen.tab.get_by_role("heading", name="kaomoji")).to_be_visible()
    expect(screen.tab.locator(".jp-dlsys-History")).to_contain_text("+340")
    expect(screen.tab.locator(".jp-dlsys-Table tbody tr")).to_have_count(50)
    screen.tab.get_by_role("tab", name="Statistics").click()
    expect(screen.tab.locator(".jp-dlsys-Bars").first).to_contain_text("160")
    screen.picture("dataset")


def test_the_panel_follows_without_reload(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    row = screen.page.locator("#dlsys-panel .jp-dlsys-Row", has_text="kaomoji")
    expect(row).to_contain_text("340 rows")
    row.focus()
    screen.page.keyboard.press("ArrowDown")
    assert screen.page.evaluate("() => document.activeElement.textContent").startswith("Jobs")


def test_a_second_commit_can_be_compared(screen: Screen) -> None:
    screen.tab.get_by_role("button", name="Commit file…").click()
    with screen.page.expect_file_chooser() as chooser:
        screen.tab.get_by_role("button", name="From this computer…").click()
    chooser.value.set_files(screen.lab.workspace / "more.csv")
    screen.tab.get_by_label("Message").fill("a fourth label")
    screen.tab.get_by_role("button", name="Commit as v2").click()
    expect(screen.tab.locator(".jp-dlsys-History li")).to_have_count(2)
    screen.tab.get_by_role("tab", name="Compare versions").click()
    expect(screen.tab.locator(".jp-dlsys-DiffSum")).to_contain_text("+3 rows")
    expect(screen.tab.locator(".jp-dlsys-Tabs-panel")).to_contain_text("smug")
    screen.tab.locator(".jp-dlsys-History-item", has_text="first texts").click()
    screen.tab.get_by_role("button", name="Tag…").click()
    screen.page.keyboard.type("gold")
    screen.page.keyboard.press("Enter")
    expect(screen.tab.locator(".jp-dlsys-Chip", has_text="gold")).to_be_visible()


def test_a_notebook_runs_as_a_job(screen: Screen) -> None:
    page = screen.page
    screen.command("docmanager:open", {"path": "train_text.ipynb", "kernel": {"name": "python3"}})
    page.locator(".jp-NotebookPanel-toolbar").get_by_text("Run as job").click()
    expect(screen.tab.get_by_label("Dataset")).to_have_value("kaomoji")
    expect(screen.tab.get_by_label("Split")).to_have_value("0.8, 0.2")
    screen.tab.get_by_label("Version").select_option("gold")
    screen.tab.get_by_label("epochs").fill("6")
    screen.picture("submit")
    screen.tab.get_by_role("button", name="Run", exact=True).click()
    expect(screen.tab.locator(".jp-dlsys-Strip li.jp-mod-running")).to_be_visible(timeout=60_000)


def test_curves_draw_while_the_job_runs(screen: Screen) -> None:
    screen.tab.get_by_role("tab", name="Curves").click()
    expect(screen.tab.locator(".uplot canvas").first).to_be_visible(timeout=120_000)
    assert screen.badge() in ("Running", "Done")
    screen.picture("job-live")
    screen.wait_for_state("Done", 180)
    screen.tab.get_by_label("As a table").check()
    rows = screen.tab.locator(".jp-dlsys-Chart", has_text="accuracy").first.locator("tbody tr")
    expect(rows.first).to_be_visible()
    screen.tab.get_by_label("As a table").uncheck()
    expect(screen.page.get_by_text("train_text is done")).to_be_visible()
    screen.picture("job")


def test_the_notebook_of_the_job_has_its_outputs(screen: Screen) -> None:
    screen.tab.get_by_role("tab", name="Notebook").click()
    expect(screen.tab.locator(".jp-dlsys-Cell.jp-mod-done").first).to_be_visible()
    expect(screen.tab.locator(".jp-dlsys-Output", has_text="weights")).to_be_visible()
    screen.picture("job-notebook")
    screen.tab.get_by_role("tab", name="Inputs and environment").click()
    inputs = screen.tab.get_by_role("tabpanel")
    expect(inputs.get_by_role("button", name="kaomoji@v1")).to_be_visible()


def test_a_model_is_promoted_and_deployed(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    models = screen.page.get_by_role("region", name="Models")
    models.locator(".jp-dlsys-Row", has_text="kaomoji").first.click()
    screen.tab.get_by_label("Promote version 1").select_option("champion")
    expect(screen.tab.locator(".jp-dlsys-Badge", has_text="@champion → v1")).to_be_visible()
    screen.picture("model")
    screen.tab.get_by_role("button", name="Deploy", exact=True).click()
    expect(screen.tab.get_by_role("heading", name="Try it")).to_be_visible()
    screen.wait_for_state("Ready", 120)


def test_the_endpoint_answers(screen: Screen) -> None:
    screen.tab.locator(".jp-dlsys-Try textarea").fill("(T_T)")
    screen.page.keyboard.press("Enter")
    expect(screen.tab.locator(".jp-dlsys-Answer-word")).to_have_text("sad", timeout=30_000)
    expect(screen.tab.locator(".jp-dlsys-Answer .jp-dlsys-Bars li")).to_have_count(3)
    screen.tab.get_by_label("A token for a program").fill("web shop")
    screen.tab.get_by_role("button", name="Make a token").click()
    expect(screen.tab.get_by_text("shown only this once")).to_be_visible()
    screen.tab.get_by_role("button", name="I have it").click()
    expect(screen.tab.get_by_role("cell", name="web shop")).to_be_visible()
    keep(screen.picture("endpoint"), "endpoint.png")


def test_lineage_leads_from_the_endpoint_to_the_data(screen: Screen) -> None:
    screen.tab.get_by_role("button", name="Lineage").click()
    nodes = screen.tab.locator(".jp-dlsys-Node")
    expect(nodes.filter(has_text="kaomoji@v1").first).to_be_visible(timeout=30_000)
    for kind in ("Data", "Snapshot", "Run", "Model", "Endpoint"):
        expect(nodes.filter(has=screen.page.get_by_text(kind, exact=True))).to_have_count(1)
    screen.picture("lineage")
    screen.tab.get_by_label("As a list").check()
    expect(screen.tab.get_by_role("cell", name="Endpoint", exact=True)).to_be_visible()
    screen.tab.get_by_label("As a list").uncheck()
    nodes.filter(has=screen.page.get_by_text("Run", exact=True)).click()
    expect(screen.tab.locator(".jp-dlsys-Strip")).to_be_visible()


def test_tabs_come_back_after_a_reload(screen: Screen) -> None:
    screen.page.wait_for_timeout(1500)  # the layout is saved a moment after it changed
    screen.load("")
    expect(
        screen.page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="train_text").last
    ).to_be_visible()
    expect(screen.page.locator(".jp-dlsys-Status:visible")).to_have_text(
        re.compile(r"^[CG]PU 0/[1-9]"), timeout=30_000
    )


def test_a_tab_that_opens_leaves_the_panel_as_it_is(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    expect(screen.page.locator("#dlsys-panel .jp-dlsys-Row").first).to_be_visible(timeout=30_000)
    screen.page.evaluate(
        """() => {
          const panel = document.getElementById('dlsys-panel');
          window.interrupted = 0;
          new MutationObserver(() => {
            window.interrupted += panel.querySelector('.jp-dlsys-Row') ? 0 : 1;
          }).observe(panel, { subtree: true, childList: true });
        }"""
    )
    screen.command("dlsys:open-compute")
    screen.command("dlsys:open-model", {"name": "kaomoji"})
    expect(screen.tab.locator(".jp-dlsys-Badge", has_text="@champion")).to_be_visible()
    assert screen.page.evaluate("() => window.interrupted") == 0


@pytest.mark.parametrize(
    "theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]
)
def test_every_theme(screen: Screen, theme: str) -> None:
    short = theme.replace("JupyterLab ", "").replace(" ", "-").lower()
    screen.theme(theme)
    screen.command("dlsys:open-panel")
    job = screen.page.locator("#dlsys-panel .jp-dlsys-Row", has_text="train_text").first
    job.click()
    screen.tab.get_by_role("tab", name="Curves").click()
    expect(screen.tab.locator(".uplot canvas").first).to_be_visible()
    screen.page.wait_for_timeout(500)
    picture = screen.picture(f"job-{short}")
    if short != "dark-high-contrast":
        keep(picture, "lab.png" if short == "light" else "lab-dark.png")
    background = screen.tab.evaluate("e => getComputedStyle(e).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", background)[:3])) > 384
    assert light == (short == "light")
    screen.command("dlsys:open-endpoint", {"name": "kaomoji"})
    expect(screen.tab.get_by_role("heading", name="Try it")).to_be_visible()
    screen.picture(f"endpoint-{short}")
    screen.command("dlsys:open-lineage", {"ref": "deployment/kaomoji"})
    expect(screen.tab.locator(".jp-dlsys-Node").first).to_be_visible()
    screen.picture(f"lineage-{short}")


def test_nothing_went_wrong_in_the_browser(screen: Screen) -> None:
    assert screen.errors == []
