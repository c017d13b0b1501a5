"""The audit log: rows that vouch for each other, found by filter, written from many threads."""

from __future__ import annotations

import csv
import io
import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dlsys_server.access import audit_reading
from dlsys_server.access.audit import AuditLog
from dlsys_server.access.audit_chain import Entry
from dlsys_server.access.audit_files import AuditKey
from dlsys_server.access.audit_reading import AuditFilter
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Broken, InvalidInput

EVERYTHING = AuditFilter()


def entry(number: int = 0, **values) -> Entry:
    fields = {
        "actor": "ann",
        "kind": "user",
        "operation": "datasets.create",
        "target": f"/projects/vision/datasets/d{number}",
        "outcome": "allowed",
        "status": 201,
        "project": "vision",
        "source": "10.0.0.7",
        "request_id": f"r{number}",
    }
    return Entry(**{**fields, **values})


def opened(folder: Path, url: str = "") -> AuditLog:
    database = Database(url or f"sqlite:///{folder / 'x.sqlite'}")
    database.migrate()
    return AuditLog(database, AuditKey(folder))


@pytest.fixture
def log(tmp_path):
    found = opened(tmp_path)
    yield found
    found.close()
    found.database.close()


def seqs(log: AuditLog, **wanted) -> list[int]:
    return [e.seq for e in log.list(AuditFilter(**wanted), Paging(500)).items]


def execute(log: AuditLog, statement: str) -> None:
    with log.database.write() as session:
        session.execute(text(statement))


def test_rows_say_who_did_what_and_fit_together(log, tmp_path):
    assert log.verify().ok and log.verify().rows == 0
    log.record(entry(1, behalf_of="bob", detail={"job": "J1"}))
    log.record(entry(2, outcome="refused", status=403, code="missing-scope"))
    second, first = log.list(EVERYTHING, Paging()).items
    assert (first.seq, first.actor, first.behalf_of, first.detail) == (
        1,
        "ann",
        "bob",
        {"job": "J1"},
    )
    assert (second.seq, second.outcome, second.code) == (2, "refused", "missing-scope")
    report = log.verify()
    assert (report.ok, report.rows, report.first, report.last) == (True, 2, 1, 2)
    assert report.head == second.hash
    assert json.loads((tmp_path / "audit.head").read_text())["seq"] == 2
    for name in ("audit.key", "audit.head"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_it_goes_on_after_a_restart(log, tmp_path):
    log.record(entry(1))
    again = opened(tmp_path)
    again.record(entry(2))
    log.record(entry(3))
    assert again.verify().ok and log.verify().rows == 3
    again.close()
    again.database.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE audit SET actor = 'bob' WHERE seq = 3", "Row 3 was changed"),
        ("UPDATE audit SET outcome = 'allowed', code = '' WHERE seq = 4", "Row 4 was changed"),
        ("UPDATE audit SET hash = 'x' WHERE seq = 3", "Rows 3 to 4 were changed"),
        ("UPDATE audit SET detail = '{nonsense' WHERE seq = 5", "Row 5 was changed"),
        ("UPDATE audit SET at = 'never' WHERE seq = 2", "Row 2 was changed"),
        ("DELETE FROM audit WHERE seq = 3", "Row 3 is missing."),
        ("DELETE FROM audit WHERE seq < 3", "Rows 1 to 2 are missing at the beginning."),
        ("DELETE FROM audit WHERE seq > 4", "Rows 5 to 6 are missing at the end"),
        ("DELETE FROM audit", "Rows 1 to 6 are missing at the end"),
        ("UPDATE audit SET seq = seq - 3", "A row has the number -2"),
        ("UPDATE audit SET seq = 'x' WHERE seq = 6", "A row has the number 'x'"),
    ],
)
def test_damage_is_told_in_words(log, damage, words, monkeypatch):
    monkeypatch.setattr(audit_reading, "BATCH", 2)
    for number in range(6):
        kind = {"outcome": "refused", "status": 403, "code": "forbidden"} if number == 3 else {}
        log.record(entry(number, **kind))
    execute(log, damage)
    report = log.verify()
    assert not report.ok
    assert any(words in problem for problem in report.problems), report.problems


def test_rows_that_changed_places_are_found(log):
    for number in range(4):
        log.record(entry(number))
    for statement in ("SET seq = 99 WHERE seq = 2", "SET seq = 2 WHERE seq = 3"):
        execute(log, f"UPDATE audit {statement}")
    execute(log, "UPDATE audit SET seq = 3 WHERE seq = 99")
    assert "Rows 2 to 4" in log.verify().problems[0]


def test_a_removed_tail_stays_missing_when_rows_follow(log, tmp_path):
    for number in range(4):
        log.record(entry(number))
    execute(log, "DELETE FROM audit WHERE seq > 2")
    again = opened(tmp_path)
    again.record(entry(9))
    assert seqs(again) == [5, 2, 1]
    assert again.verify().problems == ["Rows 3 to 4 are missing."]
    again.close()
    again.database.close()


def test_a_foreign_key_is_told_as_such(log, tmp_path):
    for number in range(3):
        log.record(entry(number))
    (tmp_path / "audit.key").write_text("0" * 64)
    again = opened(tmp_path)
    (problem,) = again.verify().problems
    assert "No row fits the key" in problem
    again.start()
    log.start()
    assert (again.health().state, log.health().state) == ("degraded", "ok")
    assert "another key" in again.health().message
    again.record(entry(4))
    assert again.verify().problems[0].startswith("Rows 1 to 3 were changed")
    again.close()
    again.database.close()


def test_a_log_written_anew_with_the_key_differs_from_the_head(log, tmp_path):
    log.record(entry(1))
    head = (tmp_path / "audit.head").read_text()
    execute(log, "DELETE FROM audit")
    (tmp_path / "audit.head").unlink()
    forger = opened(tmp_path)
    forger.record(entry(1, actor="nobody"))
    assert forger.verify().ok, "who has key, database and head can forge: keep heads elsewhere"
    (tmp_path / "audit.head").write_text(head)
    again = opened(tmp_path)
    assert "Row 1 is another one than audit.head knows" in again.verify().problems[0]
    for one in (forger, again):
        one.close()
        one.database.close()


def test_a_head_that_cannot_be_read_is_told(log, tmp_path):
    log.record(entry(1))
    (tmp_path / "audit.head").write_text("")
    again = opened(tmp_path)
    again.record(entry(2))
    assert "audit.head could not be read" in again.verify().problems[0]
    again.close()
    again.database.close()


def test_the_key_may_come_from_the_settings_but_not_a_short_one(tmp_path):
    assert AuditKey(tmp_path, "k" * 32).value == b"k" * 32
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Broken, match="32 are needed"):
        AuditKey(tmp_path, "short")
    (tmp_path / "audit.key").write_text("")
    with pytest.raises(Broken, match="holds no key"):
        _ = AuditKey(tmp_path).value


def test_filters_and_pages(log):
    log.record(entry(1))
    log.record(entry(2, actor="bob", operation="mlflow.runs/create", project="audio"))
    middle = clock.now()
    log.record(entry(3, outcome="refused", status=403, operation="datasets.remove"))
    log.record(entry(4, project=None, operation="system.shutdown", target="/shutdown"))
    assert seqs(log) == [4, 3, 2, 1]
    assert seqs(log, project="vision") == [3, 1]
    assert seqs(log, actor="bob") == [2]
    assert seqs(log, operation="datasets.") == [3, 1]
    assert seqs(log, operation="data_ets.") == []
    assert seqs(log, outcome="refused") == [3]
    assert seqs(log, since=middle) == [4, 3]
    assert seqs(log, until=middle) == [2, 1]
    assert seqs(log, since=middle.astimezone(None), until=middle + timedelta(days=1)) == [4, 3]
    assert seqs(log, text="DATASETS/d1") == [1]
    assert seqs(log, text="%") == []
    assert seqs(log, visible=("audio",)) == [2]
    assert seqs(log, visible=()) == []
    assert seqs(log, visible=("audio", "vision"), project="vision") == [3, 1]
    page = log.list(EVERYTHING, Paging(3))
    assert [e.seq for e in page.items] == [4, 3, 2]
    assert [e.seq for e in log.list(EVERYTHING, Paging(3, page.next_cursor)).items] == [1]
    assert seqs(log, actor="nobody") == []
    for cursor in ("x", "-1", "²"):
        with pytest.raises(InvalidInput):
            log.list(EVERYTHING, Paging(3, cursor))


def test_export_as_json_lines_and_csv(log, monkeypatch):
    monkeypatch.setattr(audit_reading, "BATCH", 4)
    for number in range(9):
        log.record(entry(number, project="=1+1" if number == 7 else "vision"))
    rows = [json.loads(line) for line in b"".join(log.export(EVERYTHING, "jsonl")).splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, 10))
    assert rows[7]["project"] == "=1+1" and len(rows[0]["hash"]) == 64
    text = b"".join(log.export(EVERYTHING, "csv")).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["actor"] for row in table] == ["ann"] * 9
    assert table[7]["project"] == "'=1+1", "no formula for a spreadsheet"
    only = b"".join(log.export(AuditFilter(project="=1+1"), "jsonl")).splitlines()
    assert len(only) == 1


def test_texts_of_strangers_are_cut_and_cleaned(log):
    odd = "a\x00b\nc\ud800"
    log.record(entry(1, actor="x" * 999, target="/" + "y" * 9999, project=odd, detail={"k": odd}))
    (row,) = log.list(EVERYTHING, Paging()).items
    assert (len(row.actor), len(row.target)) == (200, 1000)
    assert row.project == "a\ufffdb\ufffdc?" and log.verify().ok


def append_from_threads(log: AuditLog, threads: int = 8, each: int = 25) -> None:
    def work(thread: int) -> None:
        for number in range(each):
            log.record(entry(number, actor=f"t{thread}"))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seqs(log) == list(range(threads * each, 0, -1))
    for thread in range(threads):
        mine = [e.request_id for e in log.list(AuditFilter(actor=f"t{thread}"), Paging(500)).items]
        assert mine == [f"r{n}" for n in reversed(range(each))], "each in its own order"
    report = log.verify()
    assert report.ok and report.rows == threads * each, report.problems


def test_eight_threads_on_sqlite(log):
    append_from_threads(log)


@pytest.mark.postgres
def test_on_postgresql_it_is_the_same(tmp_path, postgres_url):
    """Threads, then two platforms with one key; damage; other types of columns."""
    log = opened(tmp_path, postgres_url)
    append_from_threads(log)
    other = AuditLog(log.database, AuditKey(tmp_path / "other", log._key.value.decode()))
    (tmp_path / "other").mkdir()
    both = [threading.Thread(target=lambda one=one: [one.record(entry(n)) for n in range(40)])
            for one in (log, other)]  # fmt: skip
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    log.record(entry(1, detail={"b": "ü", "a": 2, "aa": "x" * 50}, actor="a\x00b" * 200))
    assert log.verify().ok and other.verify().rows == 281
    assert b"".join(log.export(EVERYTHING, "csv")).count(b"\r\n") == 282
    execute(log, "UPDATE audit SET status = 200 WHERE seq = 150")
    execute(log, "DELETE FROM audit WHERE seq = 200")
    assert log.verify().problems == [
        "Row 200 is missing.",
        "Row 150 was changed, or is not in its place.",
    ]
    for one in (log, other):
        one.close()
    log.database.close()


def test_a_row_that_cannot_be_read_stops_neither_the_start_nor_verify(log):
    log.record(entry(1))
    execute(log, "UPDATE audit SET at = 'never'")
    log.start()
    assert log.health().state == "degraded"
    with pytest.raises(Broken, match="cannot be read"):
        log.list(EVERYTHING, Paging())
    assert not log.verify().ok
    log.record(entry(2))


async def test_what_could_not_be_recorded_is_told_by_health_and_the_next_row(log):
    execute(log, "ALTER TABLE audit RENAME TO elsewhere")
    for number in range(2):
        await log.keep(entry(number))
    assert log.health().state == "degraded" and "OperationalError" in log.health().message
    with pytest.raises(OperationalError):
        log.record(entry(3))
    execute(log, "ALTER TABLE elsewhere RENAME TO audit")
    await log.keep(entry(4))
    assert log.health().state == "ok"
    (row,) = log.list(EVERYTHING, Paging()).items
    assert (row.seq, row.detail) == (1, {"not_recorded_before": 2})
