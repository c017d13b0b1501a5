"""Whatever one change is made to the audit log's table, it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dlsys_server.access.audit import AuditLog
from dlsys_server.access.audit_chain import COLUMNS, Entry
from dlsys_server.access.audit_files import AuditKey
from dlsys_server.core.database import Database

ROWS = 6
TEXTS = sorted({*COLUMNS, "hash"} - {"seq", "at", "status", "detail"})


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    folder: Path = tmp_path_factory.mktemp("audit")
    database = Database(f"sqlite:///{folder / 'x.sqlite'}")
    database.migrate()
    found = AuditLog(database, AuditKey(folder))
    for number in range(ROWS):
        found.record(
            Entry("ann", "user", "jobs.submit", f"/jobs/{number}", "allowed", 201, project="p")
        )
    with database.write() as session:
        session.execute(text("CREATE TABLE whole AS SELECT * FROM audit"))
    yield found
    found.close()
    database.close()


def changes() -> st.SearchStrategy[tuple[str, object]]:
    """A column and what somebody writes into it."""
    words = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=20)
    return st.one_of(
        st.tuples(st.sampled_from(TEXTS), words),
        st.tuples(st.just("status"), st.integers(0, 999)),
        st.tuples(st.just("seq"), st.integers(-9, 2**40)),
        st.tuples(
            st.just("at"),
            st.datetimes().map(lambda at: at.isoformat(" ", timespec="microseconds")),
        ),
        st.tuples(st.just("detail"), st.sampled_from(["{}", '{"a": 1}', "[]", "null", "", "x"])),
        st.tuples(st.sampled_from(["project", "behalf_of"]), st.none()),
    )


def problems(log: AuditLog, statement: str, **values: object) -> list[str] | None:
    """What verify says after a statement; None when it changed nothing."""
    with log.database.write() as session:
        session.execute(text("DELETE FROM audit"))
        session.execute(text("INSERT INTO audit SELECT * FROM whole"))
        session.execute(text(statement), values)
        same = session.execute(
            text("SELECT COUNT(*) FROM (SELECT * FROM audit INTERSECT SELECT * FROM whole)")
        ).scalar_one()
        count = session.execute(text("SELECT COUNT(*) FROM audit")).scalar_one()
    return None if same == count == ROWS else log.verify().problems


FAST = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FAST
@given(row=st.integers(1, ROWS), change=changes())
def test_any_single_change_is_found(log: AuditLog, row: int, change: tuple[str, object]) -> None:
    column, value = change
    if column == "seq" and value in range(1, ROWS + 1):
        return  # taken
    if value is None and column == "behalf_of":
        return  # as it was
    found = problems(log, f"UPDATE audit SET {column} = :value WHERE seq = :row",
                     value=value, row=row)  # fmt: skip
    assert found is None or found != []


@FAST
@given(rows=st.sets(st.integers(1, ROWS), min_size=1))
def test_any_removal_is_found(log: AuditLog, rows: set[int]) -> None:
    numbers = ",".join(str(row) for row in rows)
    found = problems(log, f"DELETE FROM audit WHERE seq IN ({numbers})")
    assert found
    for row in rows:
        assert any(str(row) in problem or " to " in problem for problem in found)


@FAST
@given(a=st.integers(1, ROWS), b=st.integers(1, ROWS))
def test_a_copy_of_one_row_in_the_place_of_another_is_found(log: AuditLog, a: int, b: int) -> None:
    if a == b:
        return
    columns = ", ".join(name for name in (*COLUMNS, "hash") if name != "seq")
    found = problems(
        log,
        f"UPDATE audit SET ({columns}) = (SELECT {columns} FROM whole WHERE seq = :a)"
        " WHERE seq = :b",
        a=a,
        b=b,
    )
    assert found


def test_untouched_it_is_whole(log: AuditLog) -> None:
    assert problems(log, "DELETE FROM audit WHERE seq = 999") is None
    assert log.verify().ok
