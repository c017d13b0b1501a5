"""The submit form says what would go wrong, and mends it with one click. One story, in order."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]

CELLS = (
    "rate = 0.1\nsteps = 3",
    "print('total is')\nprint(total * rate)",
    "total = steps + 1",
    "import a_package_that_nobody_wrote",
)


MENDED = (
    "rate = 0.1",
    "import dlsys\npictures = dlsys.input('pictures')",
    "print(rate)\nopen('/results/table.csv', 'w').write('a')",
)


def notebook(screen: Screen, expression: str, path: str = "late.ipynb") -> Any:
    """Evaluate something of an open notebook, `panel`."""
    return screen.page.evaluate(
        "path => { for (const panel of window.jupyterapp.shell.widgets('main'))"
        "  if (panel.context?.path === path) return (" + expression + ");"
        "  return null; }",
        path,
    )


def sources(screen: Screen) -> list[str]:
    """The first line of each cell, in order."""
    return list(
        notebook(
            screen, "[...panel.content.model.cells].map(c => c.sharedModel.source.split('\\n')[0])"
        )
    )


def finding(screen: Screen, text: str) -> Locator:
    return screen.tab.locator(".jp-dlsys-Finding", has_text=text)


def show_form(screen: Screen) -> None:
    """Come back to the form, which has followed the notebook meanwhile."""
    screen.command("dlsys:submit", {"path": "late.ipynb"})
    expect(screen.tab.get_by_role("heading", name="Run as a job")).to_be_visible()


def test_findings_are_there_without_asking(screen: Screen) -> None:
    screen.lab.write_notebook("late.ipynb", *CELLS)
    screen.command("docmanager:open", {"path": "late.ipynb", "kernel": {"name": "python3"}})
    screen.page.locator(".jp-NotebookPanel-toolbar").get_by_text("Run as job").click()
    late = finding(screen, "'total'")
    expect(late).to_be_visible(timeout=60_000)
    expect(late).to_contain_text("Error")
    expect(late.get_by_role("button", name="cell 2, line 2")).to_be_visible()
    expect(screen.tab.locator(".jp-dlsys-Preflight-sum")).to_contain_text("2 errors")
    screen.picture("preflight")


def test_the_place_leads_to_the_cell(screen: Screen) -> None:
    finding(screen, "'total'").get_by_role("button", name="cell 2, line 2").click()
    screen.page.wait_for_selector(".jp-Notebook.jp-mod-editMode")
    assert notebook(screen, "panel.content.activeCellIndex") == 1
    place = notebook(screen, "panel.content.activeCell.editor.getCursorPosition()")
    assert place["line"] == 1
    show_form(screen)


def test_a_cell_is_moved_with_one_click_and_undone(screen: Screen) -> None:
    late = finding(screen, "'total'")
    late.get_by_role("button", name="Move cell 2 behind cell 3").click()
    expect(late).to_have_count(0)
    assert sources(screen)[1:3] == ["total = steps + 1", "print('total is')"]
    screen.page.locator(".Toastify__toast").get_by_text("Undo").first.click()
    expect(late).to_be_visible()
    assert sources(screen)[1] == "print('total is')"
    late.get_by_role("button", name="Move cell 2 behind cell 3").click()
    expect(late).to_have_count(0)


def test_a_cell_becomes_the_parameters(screen: Screen) -> None:
    expect(screen.tab.get_by_label("steps")).to_have_count(0)
    screen.tab.get_by_role("button", name="Tag cell 1 as parameters").click()
    expect(screen.tab.get_by_label("steps")).to_be_visible()
    assert notebook(screen, "panel.content.model.cells.get(0).getMetadata('tags')") == [
        "parameters"
    ]


def test_too_much_is_brought_down_to_what_there_is(screen: Screen) -> None:
    screen.tab.get_by_label("CPU cores").fill("1000")
    impossible = finding(screen, "CPU").filter(has_text="Error")
    expect(impossible).to_be_visible()
    impossible.get_by_role("button", name="Ask for").click()
    expect(impossible).to_have_count(0)
    assert float(screen.tab.get_by_label("CPU cores").input_value()) < 1000
    screen.tab.get_by_label("CPU cores").fill("1")


def test_a_missing_package_comes_with_its_command(screen: Screen) -> None:
    missing = finding(screen, "a_package_that_nobody_wrote")
    expect(missing.locator("code")).to_have_text("%pip install a-package-that-nobody-wrote")
    missing.get_by_role("button", name="Copy “%pip install").click()
    expect(screen.page.get_by_text("Copied", exact=True)).to_be_visible()


def test_an_error_asks_once_more(screen: Screen) -> None:
    screen.tab.get_by_role("button", name="Run", exact=True).click()
    question = screen.tab.get_by_role("alertdialog", name="Run it anyway?")
    expect(question).to_contain_text("1 error")
    screen.page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(screen.tab.get_by_role("button", name="Run", exact=True)).to_be_visible()


def test_a_mended_notebook_runs_at_once(screen: Screen) -> None:
    notebook(screen, "panel.content.model.sharedModel.deleteCell(3)")
    expect(screen.tab.locator(".jp-dlsys-Finding.jp-mod-error")).to_have_count(0)
    screen.tab.get_by_text("More", exact=True).click()
    screen.tab.get_by_label("Retries").fill("5")
    screen.tab.get_by_label("Environment variables").fill("STAGE=trial")
    screen.tab.get_by_role("button", name="Copy as…").click()
    expect(screen.tab.get_by_role("menuitem", name="As shell command")).to_contain_text(
        "--retries 5 --env STAGE=trial"
    )
    screen.page.keyboard.press("Escape")
    screen.picture("preflight-clean")
    screen.tab.get_by_role("button", name="Run", exact=True).click()
    screen.wait_for_state("Done", 120)
    (job,) = screen.lab.api("jobs")["items"]
    assert job["retries"] == 5
    assert job["variables"] == {"STAGE": "trial"}


def test_the_forecast_knows_the_last_time(screen: Screen) -> None:
    screen.command("dlsys:submit", {"path": "late.ipynb"})
    words = screen.tab.locator(".jp-dlsys-Forecast")
    expect(words).not_to_be_empty(timeout=30_000)
    screen.picture("preflight-forecast")


@pytest.fixture(scope="module")
def mended(screen: Screen) -> Screen:
    """The form of another notebook, with a dataset that sounds like its input."""
    made = screen.lab.api("datasets", "POST", {"name": "faces", "kind": "generic"})
    assert made["name"] == "faces"
    screen.lab.write_notebook("mended.ipynb", *MENDED, parameters=0)
    screen.command("docmanager:open", {"path": "mended.ipynb", "kernel": {"name": "python3"}})
    screen.page.locator(".jp-NotebookPanel:visible").get_by_text("Run as job").click()
    expect(screen.tab.get_by_label("rate")).to_be_visible()
    return screen


def test_a_line_is_replaced_in_the_notebook(mended: Screen) -> None:
    absolute = finding(mended, "'/results/table.csv'")
    absolute.get_by_role("button", name="Use DLSYS_OUTPUT_DIR").click()
    expect(absolute).to_have_count(0)
    text = notebook(mended, "panel.content.model.cells.get(2).sharedModel.source", "mended.ipynb")
    first, second = text.split("\n")
    assert first == "print(rate)"
    assert "os.path.join(os.environ.get('DLSYS_OUTPUT_DIR', '.'), 'table.csv')" in second


def test_an_input_is_bound_to_a_dataset(mended: Screen) -> None:
    mended.tab.get_by_role("button", name="Remove").click()  # the form had bound it by itself
    unbound = finding(mended, "not bound to a dataset")
    unbound.get_by_role("button", name="Bind it to faces").click()
    expect(unbound).to_have_count(0)
    empty = finding(mended, "'faces' has no version yet")
    expect(empty).to_be_visible()
    expect(empty.get_by_role("button")).to_have_count(0)  # nothing in the form would mend it
    expect(mended.tab.get_by_label("Version")).to_contain_text("none yet")
    mended.picture("preflight-bound")


def test_our_own_module_goes_by_its_name(mended: Screen) -> None:
    ours = finding(mended, "no module 'dlsys'")
    ours.get_by_role("button", name="Write 'import jupyter_dlsys as dlsys'").click()
    expect(ours).to_have_count(0)
    text = notebook(mended, "panel.content.model.cells.get(1).sharedModel.source", "mended.ipynb")
    assert text.split("\n")[0] == "import jupyter_dlsys as dlsys"


def test_a_value_follows_a_parameter_that_was_renamed(mended: Screen) -> None:
    mended.tab.get_by_label("rate").fill("0.5")
    cell = "panel.content.model.cells.get(0).sharedModel"
    notebook(mended, f"{cell}.setSource('rates = 0.1')", "mended.ipynb")
    unknown = finding(mended, "no parameter 'rate'")
    unknown.get_by_role("button", name="Use 'rates'").click()
    expect(unknown).to_have_count(0)
    expect(mended.tab.get_by_label("rates")).to_have_value("0.5")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_findings_in_every_theme(screen: Screen, theme: str) -> None:
    screen.lab.write_notebook("themes.ipynb", *CELLS)  # not open: the saved file is looked at
    screen.command("dlsys:submit", {"path": "themes.ipynb"})
    expect(finding(screen, "'total'")).to_be_visible()
    screen.theme(theme)
    screen.picture(f"preflight-{theme.split()[-1].lower()}")


def test_nothing_went_wrong_in_the_page(screen: Screen) -> None:
    assert screen.errors == []
