"""The Administration tab behind the hub: what an administrator, a maintainer and a viewer get."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.support.hub import RunningHub
from tests.support.labs import Person

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@pytest.fixture(scope="module")
def pat(hub: RunningHub, browser: Browser) -> Person:
    return Person(hub, browser, "pat")


@pytest.fixture(scope="module")
def ann(hub: RunningHub, browser: Browser) -> Person:
    return Person(hub, browser, "ann")


@pytest.fixture(scope="module")
def vic(hub: RunningHub, browser: Browser) -> Person:
    return Person(hub, browser, "vic")


def open_tab(person: Person, part: str) -> None:
    person.command("dlsys:open-admin", {"part": part})
    expect(person.tab.get_by_role("heading", name="Administration")).to_be_visible(timeout=60_000)


def test_an_administrator_makes_a_project(pat: Person) -> None:
    pat.command("dlsys:open-panel")
    pat.panel.get_by_role("button", name="Administration").click(timeout=60_000)
    parts = pat.tab.get_by_role("tab")
    expect(parts).to_have_text(["Projects", "Quotas and use", "Tokens", "Audit"])
    name, create = pat.tab.get_by_label("Name"), pat.tab.get_by_role("button", name="Create the")
    for wrong, words in {
        "Speech": "Only small letters",
        "u-pat": "personal projects",
        "-a": "begins and ends",
        "vision": "There is a project of that name",
    }.items():
        name.fill(wrong)
        expect(pat.tab.get_by_text(words)).to_be_visible()
        expect(create).to_be_disabled()
    name.fill("speech")
    pat.tab.get_by_label("Title").fill("Speech and sound")
    pat.page.keyboard.press("Enter")
    row = pat.tab.locator("tbody tr", has_text="speech")
    expect(row).to_contain_text("Speech and sound")
    expect(row).to_contain_text("maintainer")
    expect(name).to_have_value("")
    pat.picture("admin-projects")
    row.get_by_role("button", name="Members").click()
    expect(pat.dialog).to_contain_text("pat")
    pat.page.keyboard.press("Escape")


def test_limits_of_a_person(pat: Person) -> None:
    open_tab(pat, "quotas")
    pat.tab.get_by_label("Filter users and projects").fill("ann")  # who has used nothing yet
    row = pat.tab.locator("tr", has=pat.page.locator("th", has_text=re.compile("^ann")))
    row.get_by_role("button", name="Change").click()
    pat.tab.get_by_label("Jobs at once of ann").fill("3")
    pat.tab.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("0 of 3 jobs at once")
    pat.theme("JupyterLab Dark")
    pat.picture("admin-quotas-dark")
    pat.theme("JupyterLab Light")


def test_a_viewer_gets_ones_own_use_and_no_more(vic: Person) -> None:
    vic.command("dlsys:open-panel")
    expect(
        vic.panel.get_by_role("heading", name="Data").or_(vic.panel.get_by_text("Compute")).first
    ).to_be_visible(timeout=60_000)
    expect(vic.panel.get_by_role("button", name="Administration")).to_have_count(0)
    open_tab(vic, "audit")
    expect(vic.tab.get_by_role("tab")).to_have_text(["Quotas and use", "Tokens"])
    expect(vic.tab.get_by_role("heading", name="Your use")).to_be_visible()
    expect(vic.tab.get_by_role("row").filter(has_text="(you)")).to_contain_text("vic")
    expect(vic.tab.get_by_role("button", name="Change")).to_have_count(0)
    assert "ann" not in vic.tab.inner_text().split()
    vic.tab.get_by_role("tab", name="Tokens").click()
    vic.tab.get_by_label("Project").select_option("vision")
    expect(vic.tab.get_by_label("submit")).to_be_disabled()
    expect(vic.tab.get_by_text("Your own tokens.")).to_be_visible()
    vic.picture("admin-viewer")


def test_a_maintainer_sees_use_and_tokens(ann: Person, hub: RunningHub) -> None:
    open_tab(ann, "quotas")
    mine = ann.tab.get_by_role("row").filter(has_text="(you)")
    expect(mine).to_contain_text("0 of 3 jobs at once")
    expect(ann.tab.get_by_role("button", name="Change")).to_have_count(0)
    ann.tab.get_by_role("tab", name="Tokens").click()
    ann.tab.get_by_label("Project").select_option("vision")
    ann.tab.get_by_label("A token for a program").fill("camera")
    ann.tab.get_by_label("read").check()
    ann.tab.get_by_role("button", name="Make a token").click()
    secret = ann.tab.locator(".jp-dlsys-Issued pre").inner_text()
    ann.tab.get_by_role("button", name="I have it").click()
    with hub.dlsys(secret) as program:
        assert program.get("/projects/vision/datasets").status_code == 200
        assert program.get("/projects/language/datasets").status_code == 404
    row = ann.tab.locator("tbody tr", has_text="camera")
    expect(row).not_to_contain_text("never", timeout=20_000)  # it was used
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke it").click()
    expect(row).to_have_count(0)
    with hub.dlsys(secret) as program:
        assert program.get("/projects/vision/datasets").status_code == 401


def test_a_maintainer_sees_refusals_in_ones_projects(
    ann: Person, hub: RunningHub, vic: Person
) -> None:
    token = hub.token("vic", "access:services!service=dlsys", "custom:dlsys:read")
    with hub.dlsys(token) as api:
        assert api.delete("/projects/vision/datasets/nothing").status_code == 403
        assert api.delete("/projects/language/datasets/nothing").status_code == 403
    open_tab(ann, "audit")
    ann.tab.get_by_label("Outcome").select_option("refused")
    row = ann.tab.locator("tbody tr", has_text="datasets.remove")
    expect(row).to_have_count(1)  # not that of the project which ann does not manage
    expect(row).to_contain_text("vic")
    expect(row).to_contain_text("⊘ Refused")
    expect(ann.tab.get_by_role("button", name="Check the log")).to_have_count(0)
    row.get_by_role("button").first.click()
    expect(ann.tab.locator(".jp-dlsys-AuditDetail")).to_contain_text("403 missing-scope")
    ann.picture("admin-audit")
    ann.theme("JupyterLab Dark")
    ann.picture("admin-audit-dark")
    ann.theme("JupyterLab Light")


def test_nothing_went_wrong_in_the_pages(pat: Person, ann: Person, vic: Person) -> None:
    assert pat.errors + ann.errors + vic.errors == []
