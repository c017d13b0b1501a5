"""A notebook on a schedule, from its toolbar in three clicks. One story, in order."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]


def test_three_clicks_make_a_schedule(screen: Screen) -> None:
    page = screen.page
    screen.lab.write_notebook("report.ipynb", "day = 1", "print('day', day)", parameters=0)
    screen.command("docmanager:open", {"path": "report.ipynb", "kernel": {"name": "python3"}})
    page.locator(".jp-NotebookPanel-toolbar").get_by_text("Schedule…").click()  # 1
    every_monday = screen.tab.get_by_text("Every Monday at 7")
    expect(every_monday).to_be_visible(timeout=60_000)
    every_monday.click()  # 2
    times = screen.tab.locator(".jp-dlsys-Times")
    expect(times.locator("li")).to_have_count(5)
    expect(times.locator("strong")).to_contain_text("Monday")
    expect(times.locator("li").first).to_contain_text("Mon")
    screen.picture("schedule-form")
    screen.tab.get_by_role("button", name="Schedule", exact=True).click()  # 3
    expect(screen.tab.get_by_role("button", name="Run now")).to_be_visible()
    (made,) = screen.lab.api("schedules")["items"]
    assert made["cron"] == "0 7 * * 1"
    assert made["timezone"] == page.evaluate(
        "() => Intl.DateTimeFormat().resolvedOptions().timeZone"
    )
    assert (made["source"], made["follow"], made["paused"]) == ("report.ipynb", False, False)


def test_run_now_runs_a_job(screen: Screen) -> None:
    expect(screen.tab.get_by_text("It has not run yet")).to_be_visible()
    screen.tab.get_by_role("button", name="Run now").click()
    row = screen.tab.locator(".jp-dlsys-Table tbody tr").first
    expect(row).to_contain_text("by hand")
    expect(row.locator(".jp-dlsys-Badge")).to_have_text("Done", timeout=120_000)
    screen.picture("schedule")
    (job,) = screen.lab.api("jobs")["items"]
    assert (job["state"], job["source"]) == ("succeeded", "report.ipynb")
    assert job["schedule"] == screen.lab.api("schedules")["items"][0]["id"]
    row.get_by_role("button", name="Open job").click()
    expect(screen.tab.get_by_role("heading", name="report").first).to_be_visible()


def test_the_panel_shows_it_and_follows(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    flows = screen.page.get_by_role("region", name="Flows")
    row = flows.locator(".jp-dlsys-Row", has_text="report")
    expect(row).to_contain_text("next in")
    expect(row).to_contain_text("Done")
    identity = screen.lab.api("schedules")["items"][0]["id"]
    screen.lab.api(f"schedules/{identity}/pause", "POST")
    expect(row).to_contain_text("Paused")  # somebody else paused it: no reload needed
    row.click()
    expect(screen.tab.get_by_text("None while it is paused.")).to_be_visible()
    screen.tab.get_by_role("button", name="Resume").click()
    expect(screen.tab.locator(".jp-dlsys-NextTimes li")).to_have_count(5)
    expect(row).not_to_contain_text("Paused")


def test_times_and_policies_can_be_changed(screen: Screen) -> None:
    screen.tab.get_by_role("button", name="Edit", exact=True).click()
    form = screen.tab.get_by_role("form", name="Edit the schedule")
    form.get_by_text("Other times…").click()
    cron = form.get_by_label("Cron expression")
    cron.fill("61 7 * * *")
    expect(form.locator("small.jp-mod-error")).to_be_visible()
    cron.fill("*/30 6 * * *")
    expect(form.locator(".jp-dlsys-Times li")).to_have_count(5)
    form.get_by_label("Time zone").select_option("Europe/Berlin")
    form.get_by_label("When the last job still runs").select_option("skip")
    screen.picture("schedule-edit")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    (changed,) = screen.lab.api("schedules")["items"]
    assert (changed["cron"], changed["timezone"]) == ("*/30 6 * * *", "Europe/Berlin")
    assert changed["overlap"] == "skip"


def test_it_is_there_after_a_reload(screen: Screen) -> None:
    # the layout is kept a moment after it changed
    screen.page.wait_for_timeout(1500)
    screen.load(query="")
    screen.page.locator(".lm-TabBar-tab[data-id^='dlsys-schedule-']").click()
    expect(screen.tab.get_by_role("button", name="Run now")).to_be_visible(timeout=60_000)


def test_a_file_is_followed_from_the_file_browser(screen: Screen) -> None:
    screen.file_menu("report.ipynb", "Schedule…")
    screen.tab.get_by_text("The file as it is then").click()
    screen.tab.get_by_text("Data, parameters and resources").click()
    screen.tab.get_by_label("day", exact=True).fill("4")
    screen.tab.get_by_text("More: missed and overlapping times, name").click()
    screen.tab.get_by_label("Name of the schedule").fill("fourth day")
    screen.tab.get_by_role("button", name="Copy as…").click()
    expect(screen.tab.get_by_role("menuitem", name="As shell command")).to_contain_text("--follow")
    screen.page.keyboard.press("Escape")
    screen.tab.get_by_role("button", name="Schedule", exact=True).click()
    expect(screen.tab.get_by_role("heading", name="fourth day")).to_be_visible()
    made = next(s for s in screen.lab.api("schedules")["items"] if s["name"] == "fourth day")
    assert made["path"] == str(screen.lab.workspace / "report.ipynb")
    screen.lab.write_notebook("report.ipynb", "day = 1", "print('now', day)", parameters=0)
    screen.tab.get_by_role("button", name="Run now").click()
    row = screen.tab.locator(".jp-dlsys-Table tbody tr").first
    expect(row.locator(".jp-dlsys-Badge")).to_have_text("Done", timeout=120_000)
    job = screen.lab.api("jobs")["items"][0]
    assert job["parameters"] == {"day": 4}
    notebook = screen.lab.api(f"jobs/{job['id']}/notebook")
    assert "now 4" in str([cell.get("outputs") for cell in notebook["cells"]])


def test_removing_asks_first(screen: Screen) -> None:
    before = len(screen.lab.api("schedules")["items"])
    screen.tab.get_by_role("button", name="Remove…").click()
    question = screen.tab.get_by_role("alertdialog", name="Remove this schedule?")
    expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    screen.page.keyboard.press("Escape")
    screen.tab.get_by_role("button", name="Remove…").click()
    question.get_by_role("button", name="Remove").click()
    screen.command("dlsys:open-panel")
    flows = screen.page.get_by_role("region", name="Flows")
    expect(flows.locator(".jp-dlsys-Row", has_text="fourth day")).to_have_count(0)
    assert len(screen.lab.api("schedules")["items"]) == before - 1


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_it_fits_dark_themes(screen: Screen, theme: str) -> None:
    screen.command("dlsys:open-schedule", {"id": screen.lab.api("schedules")["items"][0]["id"]})
    expect(screen.tab.get_by_role("button", name="Run now")).to_be_visible()
    screen.theme(theme)
    screen.picture(f"schedule-{theme.removeprefix('JupyterLab ').lower().replace(' ', '-')}")
    screen.command("dlsys:schedule", {"path": "report.ipynb"})
    expect(screen.tab.locator(".jp-dlsys-Times li")).to_have_count(5)
    screen.picture(f"schedule-form-{theme.removeprefix('JupyterLab ').lower().replace(' ', '-')}")
    screen.theme("JupyterLab Light")


def test_what_is_filled_in_goes_along_to_the_schedule(screen: Screen) -> None:
    """Also when its form stands open already, as after the test before."""
    for day in ("5", "6"):
        screen.command("dlsys:submit", {"path": "report.ipynb"})
        expect(screen.tab.get_by_role("heading", name="Run as a job")).to_be_visible()
        screen.tab.get_by_label("day", exact=True).fill(day)
        screen.tab.get_by_role("button", name="Schedule…").click()
        expect(screen.tab.get_by_role("heading", name="Run on a schedule")).to_be_visible()
        expect(screen.tab.get_by_label("day", exact=True)).to_have_value(day)
    expect(screen.tab.locator(".jp-dlsys-Times li")).to_have_count(5)
    expect(screen.tab.locator(".jp-dlsys-Preflight-sum")).to_be_visible()
    screen.picture("schedule-form-given")
    screen.tab.get_by_role("button", name="Schedule", exact=True).click()
    expect(screen.tab.get_by_role("button", name="Run now")).to_be_visible()
    assert screen.lab.api("schedules")["items"][0]["parameters"] == {"day": 6}


def test_nothing_went_wrong_in_the_page(screen: Screen) -> None:
    assert screen.errors == []
