"""What comes of due times: on time, missed, overlapping, failing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dlsys_server.core.events import EventFilter
from dlsys_server.workflows.planning import MOST


def test_each_time_becomes_one_job_of_the_owner(room) -> None:
    made = room.create("0 * * * *", name="hourly")
    assert room.tick(minutes=30) <= 5 and room.history(made) == []
    for _ in range(3):
        room.tick(hours=1)
        room.tick()
        for job in room.jobs(made):
            room.end(job.id)
    jobs = room.jobs(made)
    assert room.told(made) == [(f"{h}:00", "submitted") for h in ("13", "14", "15")]
    assert [job.owner for job in jobs] == [room.owner.name] * 3
    assert {job.name for job in jobs} == {"hourly"}
    assert [job.id for job in jobs] == [f.job for f in room.history(made)]


def test_it_sleeps_until_the_next_time_but_not_long(room) -> None:
    assert room.tick() == 5
    room.create("1 12 * * *")
    assert room.tick(seconds=58) == pytest.approx(2)
    assert room.tick(seconds=1.999) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("missed", "fired", "left_out"),
    [
        ("skip", [], ["16:00"]),
        ("last", ["16:00"], ["15:00"]),
        ("all", ["13:00", "14:00", "15:00", "16:00"], []),
    ],
)
def test_missed_times_by_policy(room, missed: str, fired: list[str], left_out: list[str]) -> None:
    made = room.create("0 * * * *", missed=missed)
    room.tick(hours=4, minutes=30)
    for _ in range(6):
        for job in room.jobs(made):
            room.end(job.id)
        room.tick()
    states = room.told(made)
    assert [at for at, state in states if state == "submitted"] == fired
    assert [at for at, state in states if state == "skipped"] == left_out
    assert len(room.jobs(made)) == len(fired)
    for firing in room.history(made):
        assert "nobody was there" in firing.reason
    assert room.parts.schedules.show("default", made.id).next_times


def test_how_many_were_missed_is_said(room) -> None:
    made = room.create("0 * * * *", missed="skip")
    room.tick(hours=5)
    assert [f.reason for f in room.history(made) if f.state == "skipped"] == [
        "Missed: nobody was there at that time (the platform was off or asleep), like 3 before it."
    ]
    assert room.told(made)[-1] == ("17:00", "submitted")


def test_a_minute_late_is_on_time(room) -> None:
    made = room.create("0 13 * * *", missed="skip")
    room.tick(hours=1, seconds=59)
    assert room.told(made) == [("13:00", "submitted")]


def test_making_up_for_all_is_bounded(room) -> None:
    made = room.create("* * * * *", missed="all")
    room.tick(days=300)
    history = room.history(made)
    assert len(history) == MOST
    assert history[0].state == "skipped" and "like all before it" in history[0].reason
    assert [f.state for f in history[1:]].count("submitted") == 1
    waiting = [f for f in history if f.state == "pending"]
    assert len(waiting) == MOST - 2 and "Waiting for the last job" in waiting[0].reason


def test_queue_waits_for_the_last_job(room) -> None:
    made = room.create("0 * * * *", overlap="queue")
    room.tick(hours=1)
    assert room.tick(hours=1) == 1
    first = room.jobs(made)[0]
    assert room.told(made) == [("13:00", "submitted"), ("14:00", "pending")]
    assert room.history(made)[1].reason == f"Waiting for the last job ({first.id})"
    room.end(first.id, "failed")
    room.tick(minutes=1)
    assert room.told(made) == [("13:00", "submitted"), ("14:00", "submitted")]


def test_queue_does_not_pile_up_for_ever(room, monkeypatch) -> None:
    from dlsys_server.workflows import planning

    monkeypatch.setattr(planning, "MOST", 5)
    made = room.create("* * * * *", overlap="queue")
    for _ in range(8):
        room.tick(minutes=1)
    states = [state for _, state in room.told(made)]
    assert (states.count("submitted"), states.count("pending"), states.count("skipped")) == (
        1,
        5,
        2,
    )
    assert "still waiting for their turn" in room.history(made)[-1].reason


def test_skip_leaves_out_what_overlaps(room) -> None:
    made = room.create("0 * * * *", overlap="skip")
    room.tick(hours=1)
    room.tick(hours=1)
    first = room.jobs(made)[0]
    room.end(first.id)
    room.tick(hours=1)
    assert [state for _, state in room.told(made)] == ["submitted", "skipped", "submitted"]
    assert room.history(made)[1].reason == f"The last job ({first.id}) had not ended."


def test_replace_stops_the_last_job_first(room) -> None:
    made = room.create("0 * * * *", overlap="replace", name="nightly")
    room.tick(hours=1)
    first = room.jobs(made)[0]
    room.end(first.id, "running")
    room.tick(hours=1)
    stopping = room.jobs(made)[0]
    assert (stopping.state, stopping.reason) == (
        "cancelling", "Cancelled by the schedule 'nightly'",
    )  # fmt: skip
    assert [state for _, state in room.told(made)] == ["submitted", "pending"]
    room.end(first.id, "cancelled")
    room.tick()
    assert [state for _, state in room.told(made)] == ["submitted", "submitted"]


def test_replace_keeps_only_the_newest_waiting(room) -> None:
    made = room.create("* * * * *", overlap="replace")
    room.tick(minutes=1)
    first = room.jobs(made)[0]
    room.end(first.id, "running")
    room.tick(minutes=1)
    room.tick(minutes=1)
    assert [state for _, state in room.told(made)] == ["submitted", "skipped", "pending"]


def test_a_firing_that_cannot_be_submitted_is_told_and_the_schedule_goes_on(room, tmp_path) -> None:
    file = tmp_path / "report.py"
    file.write_text("print(1)")
    made = room.create("0 * * * *", follow=True, path=str(file))
    room.tick(hours=1)
    room.end(room.jobs(made)[0].id)
    file.rename(tmp_path / "gone.py")
    room.tick(hours=1)
    (tmp_path / "gone.py").rename(file)
    room.tick(hours=1)
    assert [state for _, state in room.told(made)] == ["submitted", "failed", "submitted"]
    assert f"There is no file {file}" in room.history(made)[1].reason


def test_a_schedule_in_a_zone_that_is_gone_does_not_stop_the_others(room) -> None:
    broken, made = room.create(), room.create()
    room.set(broken.id, timezone="Mars/Olympus")
    room.tick(hours=1)
    assert room.told(made) == [("13:00", "submitted")]
    assert "Mars/Olympus" in room.parts.schedules.firer.error
    assert "Mars/Olympus" in room.parts.schedules.show("default", broken.id).words


def test_events_tell_it_live(room) -> None:
    made = room.create(name="hourly")
    room.tick(hours=1)
    room.parts.schedules.pause(room.owner, "default", made.id)
    wanted = EventFilter(("default",), subjects=(f"schedule/{made.id}",))
    events = room.parts.events.read(0, wanted)
    assert [e.topic for e in events] == ["schedule.changed", "schedule.fired", "schedule.changed"]
    assert events[1].payload["job"] == room.jobs(made)[0].id
    assert events[1].payload["state"] == "submitted"
    assert events[2].payload["paused"] is True


def test_a_crash_between_job_and_firing_is_repeated_without_a_second_job(room, monkeypatch) -> None:
    """The platform dies after the job was submitted and before that was written down."""
    made = room.create("0 * * * *", overlap="skip")
    submitter = room.parts.schedules.firer.submitter

    class Died(BaseException):
        pass

    def die(*_args: object, **_more: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(submitter, "settle", die)
        with pytest.raises(Died):
            room.tick(hours=1)
    assert room.told(made) == [("13:00", "pending")] and len(room.jobs(made)) == 1
    room.tick(seconds=1)
    assert room.told(made) == [("13:00", "submitted")] and len(room.jobs(made)) == 1


def test_an_update_at_the_same_moment_is_not_undone(room) -> None:
    """The loop has read the row; then the person changes the expression."""
    from dlsys_server.workflows import planning

    made = room.create("0 * * * *")
    room.now += timedelta(hours=1)
    with room.parts.database.read() as session:
        (row,) = planning.due(session, room.now)
    room.set(made.id, cron="0 0 * * *", next_at=None, updated_at=room.now)
    assert planning.take(room.parts.database, row, room.now) == []
    assert room.history(made) == []


def test_a_schedule_of_another_user_runs_with_the_right_to_submit_only(room, tmp_path) -> None:
    other = replace(room.owner, name="somebody")
    made = room.create(caller=other)
    room.tick(hours=1)
    assert room.jobs(made)[0].owner == "somebody"
