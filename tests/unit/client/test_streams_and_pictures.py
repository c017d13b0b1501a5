"""Events from the wire, and what a watched job looks like."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from jupyter_dlsys.client.picture import MAX_POINTS, Picture
from jupyter_dlsys.client.streams import parse, split
from jupyter_dlsys.contract.base import Event


def event(topic: str, **payload: Any) -> Event:
    at = datetime.now(timezone.utc)
    return Event(
        seq=1, at=at, topic=topic, project="p", subject="job/1", actor="a", payload=payload
    )


def test_an_event_survives_any_cut_and_what_unicode_calls_a_line_end() -> None:
    text = event("job.log", text="one\u2028two\x85three\x0cfour")
    wire = ": connected\n\nid: 0\n\nid: 1\nevent: job.log\n"
    wire += f"data: {text.model_dump_json()}\n\n: ping\n\n"
    data = wire.encode()
    for size in (1, 7, len(data)):
        blocks = [data[i : i + size] for i in range(0, len(data), size)]
        assert list(parse(split(blocks))) == [0, text, None]


def test_half_an_event_is_no_event() -> None:
    assert list(parse(split([b'data: {"seq": 1}\n']))) == []


def test_a_log_is_drawn_as_a_terminal_draws_it() -> None:
    picture = Picture()
    for text in ("10%\r", "20%\r30%", "\nnext \x1b[31mred\x1b[0m", " line\n", "\n"):
        picture.apply(event("job.log", stream="stdout", text=text))
    assert picture.tail(5) == ["30%", "next red line"]


def test_state_progress_metrics_and_errors_are_drawn() -> None:
    picture = Picture()
    picture.apply(event("job.changed", state="running", progress={"done": 1, "total": 3}))
    picture.apply(event("job.progress", done=2, total=3))
    for step, value in enumerate((0.5, None, 0.25)):
        picture.apply(event("job.metric", key="loss", step=step, value=value))
    picture.apply(event("job.error", ename="ValueError", evalue="no"))
    picture.apply(event("something.new", x=1))
    assert (picture.state, picture.done, picture.total) == ("running", 2, 3)
    assert picture.curves == {"loss": [(0, 0.5), (2, 0.25)]}
    assert picture.tail(1) == ["ValueError: no"]
    assert not picture.ended
    picture.apply(event("job.changed", state="failed", reason="ValueError: no"))
    assert picture.ended


def test_a_long_curve_keeps_its_length_and_stays_small() -> None:
    picture = Picture()
    for step in range(3 * MAX_POINTS):
        picture.apply(event("job.metric", key="loss", step=step, value=1.0))
    points = picture.curves["loss"]
    assert len(points) <= MAX_POINTS
    assert points[0][0] == 0
    assert points[-1][0] > 3 * MAX_POINTS - 5
