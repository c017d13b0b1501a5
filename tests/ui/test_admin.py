"""What may be used, tokens of programs, and who did what. One story, in order."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import Screen

pytestmark = [pytest.mark.ui, pytest.mark.slow]


def create(screen: Screen, name: str) -> None:
    screen.lab.api("datasets", "POST", {"name": name, "kind": "generic"})


def rows(screen: Screen) -> list[str]:
    return [str(t) for t in screen.tab.locator("tbody tr").all_inner_texts()]


def test_the_panel_leads_there(screen: Screen) -> None:
    screen.command("dlsys:open-panel")
    link = screen.page.get_by_role("button", name="Administration", exact=True)
    expect(link).to_be_visible(timeout=60_000)
    link.click()
    expect(screen.tab.get_by_role("heading", name="Administration")).to_be_visible()
    expect(screen.tab.get_by_role("tab")).to_have_text(["Quotas and use", "Tokens", "Audit"])


def quota(screen: Screen, kind: str, name: str) -> dict[str, Any]:
    found = screen.lab.api("/quotas")
    return next(q for q in found if (q["kind"], q["name"]) == (kind, name))


def test_limits_are_changed_in_place(screen: Screen) -> None:
    screen.tab.get_by_role("tab", name="Quotas and use").click()
    row = screen.tab.locator("tr", has_text="Each other user")
    expect(row).to_contain_text("no limit")
    before = quota(screen, "user", "*")["limits"]
    row.get_by_role("button", name="Change").focus()
    screen.page.keyboard.press("Enter")
    expect(screen.tab.get_by_label("GPU-hours this month of Each other user")).to_be_focused()
    screen.page.keyboard.press("Escape")
    row.get_by_role("button", name="Change").click()
    jobs = screen.tab.get_by_label("Jobs at once of Each other user")
    jobs.fill("two")
    expect(screen.tab.get_by_role("button", name="Save")).to_be_disabled()
    expect(screen.tab.get_by_text("A number, please")).to_be_visible()
    jobs.fill("2")
    screen.tab.get_by_label("Storage of Each other user").fill("1.5")
    screen.page.keyboard.press("Enter")
    expect(row).to_contain_text("1.5 GB")
    changed = {**before, "jobs": 2, "storage_bytes": 1_500_000_000}
    assert quota(screen, "user", "*")["limits"] == changed
    me = screen.tab.get_by_role("row").filter(has_text="(you)")
    expect(me).to_contain_text("0 of 2 jobs at once")
    expect(me.get_by_role("meter", name="Storage")).to_be_visible()
    screen.picture("quotas")
    screen.tab.get_by_role("button", name="Undo").click()
    expect(row).not_to_contain_text("1.5 GB")
    assert quota(screen, "user", "*")["limits"] == before
    expect(screen.tab.get_by_role("button", name="Undo")).to_have_count(0)


def test_what_is_full_has_a_word(screen: Screen) -> None:
    me = screen.tab.get_by_role("row").filter(has_text="(you)")
    me.get_by_role("button", name="Change").click()
    screen.tab.get_by_label(re.compile("^Endpoints of ")).fill("0")
    screen.tab.get_by_label(re.compile("^GPU-hours this month of ")).fill("10")
    screen.tab.get_by_role("button", name="Save").click()
    expect(me.get_by_text("Full")).to_be_visible()
    expect(me).to_contain_text("0 of 10 GPU-hours; anew on 1 ")
    screen.tab.get_by_label("Only near or full").check()
    expect(screen.tab.get_by_text("Nothing to show")).to_be_visible()  # of the projects
    screen.theme("JupyterLab Dark")
    screen.picture("quotas-dark")
    screen.theme("JupyterLab Light")
    screen.tab.get_by_label("Only near or full").uncheck()


def test_ones_use_is_told_beside_the_machines(screen: Screen) -> None:
    screen.command("dlsys:open-compute")
    mine = screen.tab.get_by_role("note", name="Your use")
    expect(mine).to_contain_text("0 of 10 GPU-hours", timeout=60_000)
    expect(mine).to_contain_text("Full")
    screen.picture("compute-use")
    mine.get_by_role("button", name="Your use").click()
    expect(screen.tab.get_by_role("heading", name="Users")).to_be_visible()


def test_a_token_is_shown_once(screen: Screen) -> None:
    screen.command("dlsys:open-admin", {"part": "tokens"})
    expect(screen.tab.get_by_text("No token yet")).to_be_visible()
    form = screen.tab.get_by_role("form", name="New token")
    form.get_by_label("A token for a program").fill("nightly report")
    form.get_by_label("read").check()
    form.get_by_label("predict").uncheck()
    form.get_by_label("Valid for").select_option("30 days")
    form.get_by_role("button", name="Make a token").click()
    secret = screen.tab.locator(".jp-dlsys-Issued pre")
    expect(secret).to_have_text(re.compile("^dlsys_[A-Za-z0-9_-]{30,}$"))
    text = secret.inner_text()
    row = screen.tab.locator("tbody tr", has_text="nightly report")
    expect(row).to_contain_text("Valid")
    expect(row).to_contain_text("in 30 days")
    expect(row).to_contain_text("never")
    screen.picture("tokens")
    screen.tab.get_by_role("button", name="I have it").click()
    expect(secret).to_have_count(0)
    assert text not in screen.page.content()
    (kept,) = screen.lab.api("tokens")
    assert (kept["name"], kept["scopes"]) == ("nightly report", ["read"])


def test_a_token_is_gone_with_its_part_too(screen: Screen) -> None:
    form = screen.tab.get_by_role("form", name="New token")
    form.get_by_label("A token for a program").fill("second")
    form.get_by_role("button", name="Make a token").click()
    expect(screen.tab.locator(".jp-dlsys-Issued pre")).to_be_visible()
    screen.tab.get_by_role("tab", name="Audit").click()
    screen.tab.get_by_role("tab", name="Tokens").click()
    expect(screen.tab.locator("tbody tr")).to_have_count(2)
    expect(screen.tab.locator(".jp-dlsys-Issued")).to_have_count(0)


def test_a_token_is_revoked_after_a_question(screen: Screen) -> None:
    row = screen.tab.locator("tbody tr", has_text="second")
    row.get_by_role("button", name="Revoke").click()
    expect(row.get_by_role("button", name="Keep it")).to_be_focused()
    screen.theme("JupyterLab Dark")
    screen.picture("tokens-dark")
    screen.theme("JupyterLab Light")
    screen.page.keyboard.press("Escape")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke it").click()
    expect(row).to_have_count(0)
    assert [token["name"] for token in screen.lab.api("tokens")] == ["nightly report"]


def test_what_is_done_is_in_the_log(screen: Screen) -> None:
    create(screen, "first")
    screen.command("dlsys:open-admin", {"part": "audit"})
    row = screen.tab.locator("tbody tr", has_text="datasets.create")
    expect(row).to_contain_text("✓ Allowed")
    expect(row).to_contain_text("/projects/default/datasets")


def test_what_happens_now_comes_by_itself(screen: Screen) -> None:
    screen.lab.api("uploads?filename=a.csv", "POST")
    expect(screen.tab.locator("tbody tr").first).to_contain_text("uploads.create", timeout=15_000)


def test_an_entry_tells_all_by_keyboard_alone(screen: Screen) -> None:
    button = screen.tab.locator("tbody tr").first.get_by_role("button")
    button.focus()
    screen.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    detail = screen.tab.locator(".jp-dlsys-AuditDetail")
    expect(detail).to_contain_text("/projects/default/uploads")
    expect(detail).to_contain_text(re.compile("[0-9a-f]{64}"))
    screen.picture("audit-detail")
    before = rows(screen)
    create(screen, "second")
    screen.page.wait_for_timeout(6000)
    assert rows(screen) == before  # nothing moves under somebody who reads
    screen.page.keyboard.press("Enter")
    expect(detail).to_have_count(0)
    expect(screen.tab.locator("tbody tr").first).to_contain_text("datasets.create", timeout=15_000)


def test_filters_are_asked_of_the_platform(screen: Screen) -> None:
    filters = screen.tab.get_by_role("search", name="Filters")
    filters.get_by_label("Operation").fill("uploads.")
    expect(screen.tab.locator("tbody tr")).to_have_count(1)
    filters.get_by_label("Outcome").select_option("refused")
    expect(screen.tab.get_by_text("No entry fits")).to_be_visible()
    screen.tab.get_by_role("button", name="Show everything").first.click()
    expect(screen.tab.locator("tbody tr").first).to_contain_text("datasets.create")
    everything = len(rows(screen))
    assert everything > 5
    filters.get_by_label("Time").select_option("between")
    filters.get_by_label("Before").fill("2020-01-01T00:00")
    expect(screen.tab.get_by_text("No entry fits")).to_be_visible()
    filters.get_by_label("Time").select_option("1h")
    expect(screen.tab.locator("tbody tr")).to_have_count(everything)
    filters.get_by_label("Who").fill("nobody")
    expect(screen.tab.get_by_text("No entry fits")).to_be_visible()
    screen.tab.get_by_role("button", name="Show everything").first.click()


def test_many_entries_come_page_by_page(screen: Screen) -> None:
    for number in range(60):
        create(screen, f"many-{number}")
    screen.tab.get_by_label("Operation").fill("datasets.create")
    expect(screen.tab.get_by_role("status").filter(has_text="Page 1")).to_be_visible()
    expect(screen.tab.locator("tbody tr")).to_have_count(50, timeout=15_000)
    screen.tab.get_by_role("button", name="Older").click()
    expect(screen.tab.locator("tbody tr")).to_have_count(12)
    expect(screen.tab.get_by_role("button", name="Older")).to_be_disabled()
    screen.tab.get_by_role("button", name="Newer").click()
    expect(screen.tab.locator("tbody tr")).to_have_count(50)


def test_what_the_filters_leave_is_a_file(screen: Screen) -> None:
    with screen.page.expect_download() as download:
        screen.tab.get_by_role("button", name="Export as CSV").click()
    text = download.value.path().read_text("utf-8")
    kept = list(csv.DictReader(io.StringIO(text)))
    assert {row["operation"] for row in kept} == {"datasets.create"}
    assert len(kept) == 62
    with screen.page.expect_download() as download:
        screen.tab.get_by_role("button", name="Export as JSON lines").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [int(row["seq"]) for row in kept]
    screen.tab.get_by_role("button", name="Show everything").first.click()
    expect(screen.tab.locator("tbody tr").first).to_contain_text("audit.export")


def test_the_log_is_checked(screen: Screen) -> None:
    screen.tab.get_by_role("button", name="Check the log").click()
    report = screen.tab.get_by_role("status").filter(has_text="The log is whole")
    expect(report).to_contain_text(re.compile(r"\d+ rows, each as it was written"))
    expect(report.locator("pre")).to_have_text(re.compile("^[0-9a-f]{64}$"))
    screen.picture("audit")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_it_fits_dark_themes(screen: Screen, theme: str) -> None:
    screen.theme(theme)
    screen.picture(f"audit-{theme.removeprefix('JupyterLab ').lower().replace(' ', '-')}")
    screen.theme("JupyterLab Light")


def test_a_changed_row_is_told(screen: Screen) -> None:
    database = sqlite3.connect(screen.lab.home / "db.sqlite", timeout=30)
    with database:
        database.execute("UPDATE audit SET actor = 'mallory' WHERE operation = 'uploads.create'")
    database.close()
    screen.tab.get_by_role("button", name="Check the log").click()
    report = screen.tab.get_by_role("alert")
    expect(report).to_contain_text("The log was changed.")
    expect(report.locator("li")).not_to_have_count(0)
    screen.picture("audit-changed")


def test_nothing_went_wrong_in_the_page(screen: Screen) -> None:
    assert screen.errors == []
