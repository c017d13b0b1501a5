"""Two people at their Labs: a maintainer and a viewer see and may do different things. In order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.hub import RunningHub
from tests.support.labs import Person

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.ui, pytest.mark.timeout(600)]
expect.set_options(timeout=20_000)  # a loaded machine is slow, not broken
ASK = "Needs role {} in vision: ask ann"


@pytest.fixture(scope="module")
def ann(hub: RunningHub, browser: Browser) -> Person:
    """Maintainer of vision."""
    return Person(hub, browser, "ann")


@pytest.fixture(scope="module")
def vic(hub: RunningHub, browser: Browser) -> Person:
    """Viewer in both projects."""
    return Person(hub, browser, "vic")


@pytest.fixture(autouse=True)
def _nothing_of_ours_fails(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"ann", "vic"} & {*request.fixturenames}:
        person = request.getfixturevalue(name)
        assert person.errors == []


def in_vision(person: Person) -> None:
    """Open the panel and switch by keyboard alone."""
    person.command("dlsys:open-panel")
    head = person.panel.locator(".jp-dlsys-ProjectHead button").first
    expect(head).to_contain_text("My own", timeout=60_000)
    expect(head).to_contain_text("nobody else sees it")
    head.focus()
    person.page.keyboard.press("Enter")
    options = person.dialog.get_by_role("option")
    expect(options).to_have_count(3)
    expect(options.first).to_contain_text("My own")
    expect(person.dialog.get_by_role("combobox")).to_be_focused()
    person.page.keyboard.type("vision")
    expect(options).to_have_count(1)
    person.page.keyboard.press("Enter")
    expect(person.dialog).to_have_count(0)
    expect(head).to_contain_text("Computer vision")
    expect(person.panel.get_by_role("button", name="digits")).to_be_visible(timeout=60_000)
    status = person.page.locator("#jp-main-statusbar .jp-dlsys-Status").first
    expect(status).to_have_text("Computer vision")


def test_ann_switches_and_may_work(ann: Person) -> None:
    in_vision(ann)
    head = ann.panel.locator(".jp-dlsys-ProjectHead")
    expect(head).to_contain_text("Maintainer")
    commit = ann.panel.get_by_role("button", name="Commit a file")
    expect(commit).not_to_have_attribute("aria-disabled", "true")
    assert ann.may_run("dlsys:submit")


def test_vic_is_told_why_not_and_whom_to_ask(vic: Person) -> None:
    in_vision(vic)
    expect(vic.panel.locator(".jp-dlsys-ProjectHead")).to_contain_text("Viewer")
    commit = vic.panel.get_by_role("button", name="Commit a file")
    expect(commit).to_have_attribute("aria-disabled", "true")
    expect(commit).to_have_attribute("title", ASK.format("data-engineer"))
    expect(commit).to_have_accessible_description(ASK.format("data-engineer"))
    tabs = vic.tab.count()
    commit.click(force=True)
    vic.page.wait_for_timeout(300)
    assert vic.tab.count() == tabs
    for command in ("dlsys:submit", "dlsys:commit", "dlsys:schedule"):
        assert not vic.may_run(command), command
    vic.panel.get_by_role("button", name="digits").click()
    train = vic.tab.get_by_role("button", name="Train on this")
    expect(train).to_have_attribute("title", ASK.format("data-scientist"))
    vic.picture("vic-dataset")


def test_a_tab_of_another_project_says_whose_it_is(vic: Person) -> None:
    vic.command("dlsys:switch-project", {"to": "language"})
    expect(vic.panel.get_by_role("button", name="kaomoji")).to_be_visible()
    expect(vic.panel.get_by_role("button", name="digits")).to_have_count(0)
    expect(vic.tab.get_by_role("note")).to_contain_text("Computer vision (vision)")
    expect(vic.tab.get_by_role("heading", name="digits")).to_be_visible()
    expect(vic.page.get_by_role("tab", name="digits · vision")).to_be_visible()
    vic.picture("vic-other-project")
    vic.tab.get_by_role("button", name="Switch to it").click()
    expect(vic.tab.get_by_role("note")).to_have_count(0)
    expect(vic.panel.get_by_role("button", name="digits")).to_be_visible()


def test_the_project_is_remembered(vic: Person) -> None:
    vic.page.wait_for_timeout(1500)  # Lab saves its state a moment later
    vic.reload()
    vic.command("dlsys:open-panel")
    head = vic.panel.locator(".jp-dlsys-ProjectHead")
    expect(head).to_contain_text("Computer vision", timeout=60_000)
    expect(vic.tab.get_by_role("heading", name="digits")).to_be_visible(timeout=30_000)
    expect(vic.tab.get_by_role("note")).to_have_count(0)


def test_vic_reads_who_is_in_the_project(vic: Person) -> None:
    vic.panel.get_by_role("button", name="Who is in this project").click()
    expect(vic.dialog).to_contain_text("ann maintains this project.")
    expect(vic.dialog).to_contain_text("You are in it as Viewer")
    expect(vic.dialog.get_by_role("row", name="product")).to_contain_text("group of the hub")
    expect(vic.dialog.get_by_role("combobox")).to_have_count(0)
    vic.picture("vic-members")
    vic.page.keyboard.press("Escape")
    expect(vic.dialog).to_have_count(0)


def test_ann_gives_a_role_and_vic_may_at_once(ann: Person, vic: Person) -> None:
    ann.panel.get_by_role("button", name="Who is in this project").click()
    own = ann.dialog.get_by_role("row", name="ann")
    expect(own.get_by_role("combobox")).to_be_disabled()
    expect(own.get_by_role("button", name="Remove ann")).to_have_attribute(
        "title", "The last maintainer stays: make somebody else a maintainer first."
    )
    ann.dialog.get_by_label("User name").fill("dan")
    form = ann.dialog.locator("form")
    form.get_by_label("Role").select_option("maintainer")
    expect(form).to_contain_text("says who is in the project")
    form.get_by_role("button", name="Add").click()
    expect(ann.dialog.get_by_role("status")).to_contain_text("dan is now Maintainer.")
    expect(own.get_by_role("combobox")).to_be_enabled()
    ann.picture("ann-members")
    commit = vic.panel.get_by_role("button", name="Commit a file")
    expect(commit).to_have_attribute("title", ASK.format("data-engineer") + " or dan")


def test_a_change_is_taken_back(ann: Person, vic: Person) -> None:
    ann.dialog.get_by_role("button", name="Remove dan").click()
    expect(ann.dialog.get_by_role("status")).to_contain_text("dan is out of the project.")
    ann.dialog.get_by_role("button", name="Undo").click()
    expect(ann.dialog.get_by_role("row", name="dan")).to_be_visible()
    ann.dialog.get_by_role("button", name="Remove dan").click()
    expect(ann.dialog.get_by_role("row", name="dan")).to_have_count(0)
    ann.page.keyboard.press("Escape")
    commit = vic.panel.get_by_role("button", name="Commit a file")
    expect(commit).to_have_attribute("title", ASK.format("data-engineer"))


def test_ann_says_who_sees_what_of_a_dataset(ann: Person) -> None:
    ann.panel.get_by_role("button", name="digits").click()
    ann.tab.get_by_role("button", name="Who can see this").click()
    expect(ann.dialog).to_contain_text("You see all columns and rows, and may export them.")
    ann.dialog.get_by_role("button", name="Mask a column").click()
    ann.dialog.get_by_label("Column", exact=True).select_option("label")
    ann.dialog.get_by_role("button", name="Add a filter").click()
    where = ann.dialog.get_by_label("Sees only rows where")
    where.fill("lable == '3'")
    where.blur()
    expect(ann.dialog.locator(".jp-mod-error")).to_contain_text("lable")
    where.fill("label == '3'")
    where.blur()
    expect(ann.dialog.locator(".jp-dlsys-PolicyRow").nth(1)).to_contain_text("of 1,797 rows")
    ann.dialog.get_by_label("Who may export").select_option("none")
    ann.picture("ann-policy")
    ann.dialog.get_by_role("button", name="Save").click()
    expect(ann.dialog).to_contain_text("Nothing is changed.")
    ann.page.keyboard.press("Escape")


def test_vic_sees_what_it_means(vic: Person) -> None:
    expect(vic.tab.locator(".jp-dlsys-ForYou")).to_have_text(
        "1 column is masked for you (label). Some rows are hidden from you. You may not export it."
    )
    vic.tab.get_by_role("button", name="Who can see this").click()
    expect(vic.dialog).to_contain_text("It is changed by its owner")
    expect(vic.dialog.get_by_role("button", name="Save")).to_have_count(0)
    vic.picture("vic-policy")
    vic.page.keyboard.press("Escape")


def test_a_dataset_is_shared_with_somebody_outside(
    hub: RunningHub, vic: Person, environment_of: Callable[[str], dict[str, str]]
) -> None:
    """ann's own data, shown to everybody who can sign in."""
    with hub.dlsys(environment_of("ann")["JUPYTERHUB_API_TOKEN"]) as api:
        made = {"name": "shown", "kind": "generic"}
        assert api.post("/projects/u-ann/datasets", json=made).status_code == 201
        policy = {"visibility": "organisation"}
        told = api.put("/projects/u-ann/datasets/shown/policy", json=policy)
        assert told.status_code == 200, told.text
    vic.reload()
    vic.command("dlsys:open-panel")
    expect(vic.panel).to_contain_text("Shared with me", timeout=60_000)
    vic.panel.get_by_role("button", name="shown").click()
    note = vic.tab.get_by_role("note")
    expect(note).to_contain_text("This is shared with you from the project u-ann")
    expect(note.get_by_role("button")).to_have_count(0)
    expect(vic.tab.get_by_role("button", name="Commit file").first).to_have_attribute(
        "title", "You are not in the project u-ann"
    )
    vic.picture("vic-shared")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_pictures(ann: Person, theme: str) -> None:
    """For a look at them: nothing is cut off that should not be."""
    ann.command("dlsys:switch-project", {"to": "vision"})
    ann.theme(f"JupyterLab {theme}")
    for name, command, arguments in [
        ("picker", "dlsys:switch-project", {}),
        ("members", "dlsys:open-members", {}),
        ("policy", "dlsys:open-access", {"name": "digits"}),
    ]:
        ann.command(command, arguments)
        expect(ann.dialog.get_by_role("heading").first).to_be_visible()
        ann.page.wait_for_timeout(800)
        fits = "d => d.scrollWidth <= d.clientWidth + 1"
        assert ann.dialog.evaluate(fits), f"{name} is wider than its dialog"
        ann.picture(f"{name}-{theme}")
        ann.page.keyboard.press("Escape")
        expect(ann.dialog).to_have_count(0)


def test_a_notebook_works_in_another_project(
    hub: RunningHub, ann: Person, environment_of: Callable[[str], dict[str, str]]
) -> None:
    code = (
        "import json, os, jupyter_dlsys as d\n"
        "first = d.project(); now = d.project('vision')\n"
        "names = [s.name for s in d.connect().datasets.list()]\n"
        "try: d.project('no-such')\n"
        "except Exception as e: told = e.code\n"
        "print(json.dumps([first, now, names, os.environ['DLSYS_PROJECT'], told]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment_of("ann"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == ["u-ann", "vision", ["digits"], "vision", "no-such-project"]


@pytest.fixture
def environment_of(hub: RunningHub) -> Callable[[str], dict[str, str]]:
    """What is in the environment of kernels in a user's server, which runs."""
    return lambda user: hub.spawn(user)[user]
