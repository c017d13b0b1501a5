"""The verbs of schedules: what is checked, who may, what is shown."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock
from dlsys_server.core.errors import DlsysError, Forbidden, InvalidInput, NotFound, Refused
from jupyter_dlsys.contract.jobs import InputRequest, Resources
from jupyter_dlsys.contract.schedules import (
    BackfillRequest,
    CronRequest,
    ScheduleChange,
    ScheduleRequest,
)

P = "default"


def test_a_schedule_shows_its_words_and_next_times(room) -> None:
    submission = room.submission(parameters={"lr": 0.1})
    made = room.create("@daily", timezone="Europe/Berlin", submission=submission)
    assert made.words == "At 00:00 every day, Europe/Berlin"
    assert (made.cron, made.name, made.source) == ("0 0 * * *", "t", "t.py")
    assert made.parameters == {"lr": 0.1}
    assert len(made.next_times) == 5 and made.next_times[0] > clock.now()
    assert room.parts.schedules.page(P, Paging()).items == [room.parts.schedules.show(P, made.id)]
    said = room.parts.schedules.explain(CronRequest(cron="0 7 * * 1-5", timezone="Europe/Berlin"))
    assert said.words == "At 07:00 on every weekday, Europe/Berlin"
    assert len(said.next_times) == 5


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"cron": "0 25 * * *"}, InvalidInput, "Hour '25'"),
        ({"timezone": "Europe/Berln"}, InvalidInput, "no time zone"),
        ({"inputs": {"data": InputRequest(dataset="tweets")}}, NotFound, "no dataset 'tweets'"),
        ({"inputs": {"data": InputRequest(dataset="@@")}}, InvalidInput, "@@"),
        ({"resources": Resources(gpus=60)}, Refused, "GPUs"),
        ({"after": ["01J"]}, InvalidInput, "cannot wait"),
        ({"follow": True}, InvalidInput, "path of the file is missing"),
        ({"follow": True, "path": "report.py"}, InvalidInput, "not an absolute path"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(
    room, more: dict[str, Any], kind: type[DlsysError], said: str
) -> None:
    outer = {k: more.pop(k) for k in ("cron", "timezone", "follow", "path") if k in more}
    body = ScheduleRequest(**{"cron": "@daily", "submission": room.submission(**more), **outer})
    with pytest.raises(kind, match=said) as caught:
        room.parts.schedules.create(room.owner, P, body, None)
    assert 400 <= caught.value.status < 500 and caught.value.hint
    assert room.parts.schedules.page(P, Paging()).items == []


def test_a_repeated_create_is_one_schedule(room) -> None:
    body = ScheduleRequest(cron="@daily", submission=room.submission())
    first = room.parts.schedules.create(room.owner, P, body, "key")
    assert room.parts.schedules.create(room.owner, P, body, "key").id == first.id
    assert len(room.parts.schedules.page(P, Paging()).items) == 1


def test_run_now_is_besides_the_plan_and_repeatable(room) -> None:
    made = room.create()
    fired = room.parts.schedules.run_now(room.owner, P, made.id, "key")
    again = room.parts.schedules.run_now(room.owner, P, made.id, "key")
    assert (fired.state, fired.manual, fired.job_state) == ("submitted", True, "queued")
    assert again == fired and [job.id for job in room.jobs(made)] == [fired.job]
    waits = room.parts.schedules.run_now(room.owner, P, made.id, None)
    assert waits.state == "pending" and "Waiting for the last job" in waits.reason
    assert room.parts.schedules.show(P, made.id).next_times[0] == made.next_times[0]


def test_pause_and_resume_make_up_for_nothing(room) -> None:
    made = room.create("0 * * * *", missed="all")
    room.tick(hours=1)
    room.tick(hours=1)
    paused = room.parts.schedules.pause(room.owner, P, made.id)
    assert paused.paused and paused.next_times == []
    assert room.told(made)[-1] == ("14:00", "skipped")
    room.tick(hours=5)
    room.parts.schedules.resume(room.owner, P, made.id)
    room.tick()
    assert [at for at, _ in room.told(made)] == ["13:00", "14:00"]
    assert room.parts.schedules.show(P, made.id).next_times[0] > clock.now()


def test_update_moves_the_next_time_and_keeps_the_history(room) -> None:
    made = room.create("0 * * * *")
    room.tick(hours=1)
    change = ScheduleChange(
        cron="0 7 * * *", timezone="Asia/Tokyo", submission=room.submission(name="new")
    )
    found = room.parts.schedules.update(room.owner, P, made.id, change)
    assert found.words == "At 07:00 every day, Asia/Tokyo"
    assert {t.hour for t in found.next_times} == {22}
    assert len(room.history(made)) == 1
    assert room.parts.schedules.run_now(room.owner, P, made.id, None).state == "pending"
    with pytest.raises(InvalidInput):
        room.parts.schedules.update(room.owner, P, made.id, ScheduleChange(cron="7"))


def test_removed_is_gone_but_its_jobs_stay(room) -> None:
    made = room.create("0 * * * *")
    room.tick(hours=1)
    room.tick(hours=1)
    assert room.parts.schedules.active() == 2
    room.parts.schedules.remove(room.owner, P, made.id)
    room.tick(hours=5)
    assert len(room.jobs(made)) == 1 and room.parts.schedules.active() == 0
    with pytest.raises(NotFound, match="no schedule"):
        room.parts.schedules.show(P, made.id)


def test_nobody_else_says_what_runs_as_the_owner(room) -> None:
    made = room.create()
    other = Principal.of("eve", "user", P, (P,), expand(frozenset({Scope.SUBMIT})))
    change = ScheduleChange(submission=room.submission())
    admin = replace(room.owner, name="admin")
    schedules = room.parts.schedules
    for refused in (
        lambda: schedules.update(other, P, made.id, ScheduleChange(name="x")),
        lambda: schedules.run_now(other, P, made.id, None),
        lambda: schedules.resume(other, P, made.id),
        lambda: schedules.update(admin, P, made.id, change),
    ):
        with pytest.raises(Forbidden, match="belongs to"):
            refused()
    assert schedules.update(admin, P, made.id, ScheduleChange(name="x")).name == "x"
    assert schedules.pause(other, P, made.id).paused


def test_history_in_pages(room) -> None:
    made = room.create("* * * * *", overlap="skip")
    for _ in range(5):
        room.tick(minutes=1)
    first = room.parts.schedules.history(P, made.id, Paging(3))
    rest = room.parts.schedules.history(P, made.id, Paging(3, first.next_cursor))
    times = [f.due_at.minute for f in first.items + rest.items]
    assert times == [5, 4, 3, 2, 1] and rest.next_cursor is None
    for cursor in ("x", "2026-11-20T12:00"):
        with pytest.raises(InvalidInput, match="cursor"):
            room.parts.schedules.history(P, made.id, Paging(3, cursor))


# -- backfill


def test_backfill_fires_only_what_never_fired(room) -> None:
    made = room.create("0 0 * * *", overlap="skip", timezone="Europe/Berlin")
    schedules = room.parts.schedules
    past = datetime(2026, 3, 27)  # over the day the clock is put forward; in the schedule's zone
    body = BackfillRequest(start=past, end=past + timedelta(days=3))
    found = schedules.backfill(room.owner, P, made.id, body)
    assert [f.due_at.hour for f in found] == [23, 23, 23, 22]
    assert schedules.backfill(room.owner, P, made.id, body) == []
    for number in range(4):
        room.tick(seconds=1)
        jobs = room.jobs(made)
        assert len(jobs) == number + 1
        room.end(jobs[-1].id)
    assert {f.state for f in room.history(made)} == {"submitted"}
    assert schedules.backfill(room.owner, P, made.id, body) == []


def test_backfill_repeats_what_was_missed_or_failed(room) -> None:
    made = room.create("0 * * * *", missed="skip")
    room.tick(hours=3, minutes=30)
    assert room.told(made) == [("15:00", "skipped")]
    body = BackfillRequest(start=room.now - timedelta(hours=3, minutes=30), end=room.now)
    found = room.parts.schedules.backfill(room.owner, P, made.id, body)
    assert [f"{f.due_at:%H:%M}" for f in found] == ["12:00", "13:00", "14:00", "15:00"]
    assert all(f.manual and f.state == "pending" for f in found)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-11-01", "2026-11-15", "more than 100 times"),
        ("2026-11-02", "2026-11-01", "ends before it begins"),
        ("2999-01-01", "2999-01-02", "has not begun"),
    ],
)
def test_backfill_is_bounded(room, start: str, end: str, said: str) -> None:
    made = room.create("0 * * * *")
    body = BackfillRequest(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end))
    with pytest.raises(InvalidInput, match=said):
        room.parts.schedules.backfill(room.owner, P, made.id, body)
    assert room.history(made) == []


# -- follow


def test_follow_takes_the_file_and_its_modules_as_they_are_then(room, tmp_path: Path) -> None:
    file, module = tmp_path / "report.py", tmp_path / "helper.py"
    file.write_text("import helper\nprint(1)")
    module.write_text("x = 1")
    followed = room.create("0 * * * *", follow=True, path=str(file))
    kept = room.create("0 * * * *")
    room.tick(hours=1)
    file.write_text("import helper\nprint(2)")
    room.tick(hours=1)
    for job in room.jobs(followed) + room.jobs(kept):
        room.end(job.id)
    room.tick()
    before = [job.source_hash for job in room.jobs(followed)]
    assert before[0] != before[1]
    module.write_text("x = 2")
    room.end(room.jobs(followed)[-1].id)
    room.tick(hours=1)
    hashes = [job.source_hash for job in room.jobs(followed)]
    assert len(hashes) == 3 == len(set(hashes))
    assert len({job.source_hash for job in room.jobs(kept)}) == 1


def test_only_who_the_platform_runs_as_may_follow(room, tmp_path: Path) -> None:
    file = tmp_path / "report.py"
    file.write_text("")
    for caller in (replace(room.owner, name="eve"), replace(room.owner, kind="job")):
        with pytest.raises(Forbidden) as caught:
            room.create(caller=caller, follow=True, path=str(file))
        assert caught.value.code == "follow-not-allowed"


def _missing(path: Path) -> None:
    """Nothing there."""


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(33 * 2**20)


def _elsewhere(path: Path) -> None:
    (path.parent / "secret.py").write_text("print('secret')")
    path.symlink_to(path.parent / "secret.py")


@pytest.mark.parametrize(
    ("become", "said"),
    [
        (_missing, "There is no file"),
        (_folder, "not a regular file"),
        (_pipe, "not a regular file"),
        (_binary, "cannot be read"),
        (_huge, "33 MB; at most 32 MB"),
        (_elsewhere, "leads to another place"),
    ],
)
def test_a_followed_file_that_became_something_else(room, tmp_path: Path, become, said) -> None:
    file = tmp_path / "report.py"
    file.write_text("print(1)")
    made = room.create("0 * * * *", follow=True, path=str(file))
    file.unlink()
    become(file)
    room.tick(hours=1)
    (firing,) = room.history(made)
    assert firing.state == "failed" and said in firing.reason
    assert room.jobs(made) == []


def test_a_followed_notebook_that_broke(room, tmp_path: Path) -> None:
    file = tmp_path / "report.ipynb"
    file.write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    made = room.create("0 * * * *", follow=True, path=str(file))
    file.write_text('{"cells": [')
    room.tick(hours=1)
    assert "not a notebook" in room.history(made)[0].reason


def test_a_dataset_that_went_away_fails_the_firing(room) -> None:
    made = room.create("0 * * * *")
    submission = room.submission(inputs={"data": InputRequest(dataset="gone@v1")})
    from dlsys_server.workflows import keeping

    room.set(made.id, submission=keeping.pack(room.parts.store, submission))
    room.tick(hours=1)
    (firing,) = room.history(made)
    assert firing.state == "failed" and "no dataset 'gone'" in firing.reason


def test_times_are_kept_in_utc(room) -> None:
    made = room.create("0 7 * * *", timezone="America/New_York")
    assert made.next_times[0].tzinfo is not None
    assert made.next_times[0].astimezone(timezone.utc).hour in (11, 12)
