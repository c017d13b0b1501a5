"""The job state machine: every path through it, and races."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.ids import new_id
from dlsys_server.training.slots import Capacity, Slots
from dlsys_server.training.states import HOLDING, TRANSITIONS, move
from dlsys_server.training.tables import JobRow
from jupyter_dlsys.contract.jobs import TERMINAL_STATES


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory):
    found = Database(f"sqlite:///{tmp_path_factory.mktemp('db') / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


def a_job(state: str = "queued", **values) -> JobRow:
    fields = {
        "id": new_id(),
        "project": "default",
        "owner": "ann",
        "name": "n",
        "state": state,
        "revision": 0,
        "attempt": 1,
        "reason": "",
        "kind": "script",
        "source": "a.py",
        "source_hash": "sha256:0",
        "bundle_sha": "0",
        "parameters": {},
        "inputs": {},
        "cpus": 1.0,
        "gpus": 0,
        "gpu_share": 1.0,
        "gpu_ids": [],
        "artifacts": [],
        "priority": 0,
        "run_closed": False,
        "progress_done": 0,
        "progress_total": 0,
        "spool_offset": 0,
        "created_at": clock.now(),
    }
    return JobRow(**{**fields, **values})


def test_terminal_states_are_those_without_a_way_out():
    assert {s for s, after in TRANSITIONS.items() if not after} == TERMINAL_STATES
    assert not TERMINAL_STATES & set(HOLDING)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=8))
def test_only_the_drawn_arrows_exist_and_revisions_grow(database, path):
    job = a_job()
    with database.write() as session:
        session.add(job)
    state, revision = "queued", 0
    for wanted in path:
        with database.write() as session:
            row = session.get(JobRow, job.id)
            if wanted not in TRANSITIONS[state]:
                with pytest.raises(ValueError, match="cannot go from"):
                    move(session, row, wanted)
                continue
            assert move(session, row, wanted)
        state, revision = wanted, revision + 1
    with database.read() as session:
        row = session.get(JobRow, job.id)
        assert (row.state, row.revision) == (state, revision)


def test_of_two_that_race_one_wins(database):
    job = a_job("running")
    with database.write() as session:
        session.add(job)
    with database.read() as session:
        first = session.get(JobRow, job.id)
    with database.read() as session:
        second = session.get(JobRow, job.id)
    with database.write() as session:
        assert move(session, first, "cancelling")
    with database.write() as session:
        assert not move(session, second, "succeeded")
    with database.read() as session:
        assert session.get(JobRow, job.id).state == "cancelling"


def test_slots_count_what_runs_and_name_what_is_missing():
    capacity = Capacity(4, 8 * 2**30, ("0", "1"))
    slots = Slots.left(
        capacity, [a_job("running", cpus=3, gpus=1, gpu_ids=["0"], memory_bytes=2**32)]
    )
    assert (slots.cpus, slots.gpus, slots.memory_bytes) == (1, ["1"], 2**32)
    assert slots.lacking(a_job(cpus=1, gpus=1)) == ""
    assert slots.lacking(a_job(cpus=2)) == "2 free CPUs"
    assert slots.lacking(a_job(gpus=2)) == "2 free GPUs"
    assert slots.lacking(a_job(memory_bytes=2**33)) == "memory: 8 GB asked, 4 GB free"
    assert slots.take(a_job(gpus=1)) == ["1"]
    assert slots.gpus == []
