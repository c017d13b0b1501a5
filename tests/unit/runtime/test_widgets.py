"""What widgets show becomes events: all that matters, not too often, never too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_dlsys.contract.spool import tail
from jupyter_dlsys.runtime import widgets
from jupyter_dlsys.runtime.events import Spool
from jupyter_dlsys.runtime.widgets import EVENT_CAP, VALUE_CAP, WidgetStates

from .conftest import Attempt

BAR = {"_model_name": "FloatProgressModel", "_view_name": "ProgressView", "value": 0.0}


class Watched:
    """Widget states, and the events that they wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self.spool = path, Spool(path)
        self.states = WidgetStates(self.spool)
        self.states.cell_starts()

    def open(self, comm: str, state: dict[str, Any], target: str = "jupyter.widget") -> None:
        content = {"comm_id": comm, "target_name": target, "data": {"state": state}}
        self.states.hear({"msg_type": "comm_open", "content": content})

    def update(self, comm: str, **state: Any) -> None:
        content = {"comm_id": comm, "data": {"method": "update", "state": state}}
        self.states.hear({"msg_type": "comm_msg", "content": content})

    def close(self, comm: str) -> None:
        self.states.hear({"msg_type": "comm_close", "content": {"comm_id": comm}})

    def told(self) -> list[dict[str, Any]]:
        self.states.tell(3)
        found, _ = tail(self.path, 0)
        return [e["payload"] for e in found if e["topic"] == "job.widgets"]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "events.jsonl")
    yield made
    made.spool.close()


def test_changes_between_two_events_become_one(watched: Watched) -> None:
    watched.open("a", {**BAR, "_model_module": "@jupyter-widgets/controls", "style": None})
    for i in range(100):
        watched.update("a", value=float(i))
    assert watched.told() == [{"cell": 3, "states": {"a": {**BAR, "value": 99.0}}}]
    assert watched.states.due() is None
    watched.update("a", value=7.0)
    watched.close("a")
    assert watched.told()[1]["states"] == {"a": None}


def test_comms_that_are_no_widgets_are_not_told(watched: Watched) -> None:
    watched.open("a", BAR, target="matplotlib")
    watched.update("a", value=1)
    watched.close("a")
    assert watched.states.due() is None
    assert watched.told() == []


def test_large_values_and_many_widgets_are_bounded(watched: Watched) -> None:
    watched.open("a", {**BAR, "value": "x" * 1_000_000, "rows": list(range(100_000))})
    for i in range(500):
        watched.open(f"w{i}", {**BAR, "value": "y" * 1000})
    told = watched.told()
    assert len(told) > 1
    assert all(len(json.dumps(event)) < EVENT_CAP + VALUE_CAP + 2000 for event in told)
    states = {comm: state for event in told for comm, state in event["states"].items()}
    assert len(states) == 501
    assert len(states["a"]["value"]) == VALUE_CAP + 1
    assert "rows" not in states["a"]


def test_a_bar_of_a_day_is_no_flood(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(widgets.time, "monotonic", lambda: now[0])
    watched.states.cell_starts()
    watched.open("a", BAR)
    events = 0
    while now[0] < 1000 + 86_400:
        watched.update("a", value=now[0])
        due = watched.states.due()
        assert due is not None
        now[0] += max(due, 0.05)
        watched.states.tell(0)
        events += 1
    assert 5_000 < events < 12_000


def test_a_progress_bar_of_a_real_kernel(attempt: Attempt) -> None:
    attempt.notebook(
        "from comm import create_comm\nfrom IPython.display import display\n"
        f"bar = create_comm(target_name='jupyter.widget', data={{'state': {BAR!r}}},"
        " metadata={'version': '2.1.0'})\n"
        "display({'application/vnd.jupyter.widget-view+json':"
        " {'model_id': bar.comm_id, 'version_major': 2, 'version_minor': 0},"
        " 'text/plain': 'FloatProgress()'}, raw=True)\n"
        "for i in range(1, 2001):\n"
        "    bar.send({'method': 'update', 'state': {'value': float(i)}, 'buffer_paths': []})",
        "print('next')",
    )
    assert attempt.run()["reason"] is None, attempt.read("log")
    events = attempt.events("job.widgets")
    (comm,) = events[0]["states"]
    assert 1 <= len(events) <= 30
    assert events[-1]["states"][comm]["value"] == 2000.0
    assert events[-1]["states"][comm]["_model_name"] == "FloatProgressModel"
    assert {event["cell"] for event in events} == {0}
