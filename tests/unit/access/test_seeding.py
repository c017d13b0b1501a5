"""Projects from a file: made so at each start, and what people did stays."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from dlsys_server.access.seeding import apply_seeds, read_seeds
from dlsys_server.access.tables import MemberRow, ProjectRow
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput

FILE = """
projects:
  vision:
    title: Computer vision
    users: {ann: maintainer}
    groups: {scientists: data-scientist, product: viewer}
"""


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", 1)
    found.migrate()
    yield found
    found.close()


@pytest.fixture
def seed(database, tmp_path):
    def apply(text):
        path = tmp_path / "projects.yaml"
        path.write_text(text)
        apply_seeds(database, read_seeds(path), "root")
        with database.read() as session:
            return {(m.kind, m.name): m.role for m in session.scalars(select(MemberRow))}

    return apply


def test_the_file_is_made_so_again_and_again(seed, database):
    made = seed(FILE)
    assert made == {
        ("user", "ann"): "maintainer",
        ("group", "scientists"): "data-scientist",
        ("group", "product"): "viewer",
    }
    assert seed(FILE) == made
    with database.read() as session:
        assert [row.title for row in session.scalars(select(ProjectRow))] == ["Computer vision"]


def test_who_left_the_file_is_out_and_whom_people_added_stays(seed, database):
    seed(FILE)
    with database.write() as session:
        session.add(
            MemberRow(
                project="vision",
                kind="user",
                name="bob",
                role="viewer",
                added_by="ann",
                added_at=clock.now(),
            )
        )
    text = FILE.replace(", product: viewer", "").replace("data-scientist", "viewer")
    left = seed(text)
    assert left == {
        ("user", "ann"): "maintainer",
        ("user", "bob"): "viewer",
        ("group", "scientists"): "viewer",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("projects: {Vision: {}}", "Vision"),
        ("projects: {vision: {users: {ann: king}}}", "users.ann"),
        ("projects: {vision: {member: {}}}", "vision.member"),
        ("[", "cannot be read"),
        ("", "not right"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(seed, text, said):
    with pytest.raises(InvalidInput) as refused:
        seed(text)
    assert said in refused.value.detail


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_seeds(tmp_path / "nothing.yaml")
