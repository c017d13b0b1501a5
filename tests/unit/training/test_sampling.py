"""The sampler over real processes and a real database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from dlsys_server.core.database import Database
from dlsys_server.core.peers import Peers
from dlsys_server.training.compute import Compute
from dlsys_server.training.gpus import GpuReader
from dlsys_server.training.machine import Machine
from dlsys_server.training.sampling import Sampler, read_points
from dlsys_server.training.slots import Capacity
from dlsys_server.training.tables import JobRow
from dlsys_server.training.usage import cpu_seconds
from tests.unit.training.test_states import a_job

BURN = "while True: pass"
HOLD = "import time\nheld = bytearray(150 * 2**20)\ntime.sleep(60)"
WRAP = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


@pytest.fixture
def run(tmp_path: Path, database: Database) -> Iterator[Any]:
    """Starts code under a process that stands for a supervisor; the running job."""
    started = []

    def start(code: str, **values: Any) -> JobRow:
        job = a_job("running", **values)
        folder = tmp_path / job.id / "1"
        folder.mkdir(parents=True)
        process = subprocess.Popen([sys.executable, "-c", WRAP, code], start_new_session=True)
        started.append(process)
        (folder / "pid").write_text(str(process.pid))
        with database.write() as session:
            session.add(job)
        return job

    yield start
    for process in started:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def sampler(tmp_path: Path, database: Database) -> Sampler:
    attempts: Any = SimpleNamespace(folder=lambda job: tmp_path / job.id / str(job.attempt))
    return Sampler(database, attempts, Machine(), GpuReader([]))


def points(database: Database, job: JobRow) -> list[Any]:
    with database.read() as session:
        return read_points(session, job.id)


def rounds(sampler: Sampler, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sampler.machine.look()
        sampler.sample()
        time.sleep(0.25)


def test_jobs_are_kept_apart_and_their_use_survives_them(
    run: Any, sampler: Sampler, database: Database
) -> None:
    burning, holding = run(BURN), run(HOLD, cpus=1.0)
    rounds(sampler, 4.5)
    burned, held = points(database, burning), points(database, holding)
    assert len(burned) >= 3
    assert burned[0].processes == 0
    assert burned[-1].cpus > 0.1
    assert burned[-1].memory_bytes < 60e6
    assert held[-1].cpus < 0.1
    assert 150e6 < held[-1].memory_bytes < 200e6
    assert held[-1].processes == 1

    with database.write() as session:
        session.execute(update(JobRow).values(state="succeeded"))
    sampler.sample()
    assert points(database, burning)[: len(burned)] == burned
    assert cpu_seconds(points(database, burning)) > 0.5


def test_another_sampler_goes_on_with_the_points(
    run: Any, sampler: Sampler, database: Database
) -> None:
    job = run(BURN)
    rounds(sampler, 2.5)
    before = points(database, job)
    following = Sampler(database, sampler.attempts, Machine(), GpuReader([]))
    time.sleep(1.6)
    following.sample()
    after = points(database, job)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    assert [p.processes for p in after].count(0) == 1
    assert cpu_seconds(after) < 6


def test_a_job_that_has_not_begun_has_no_points(sampler: Sampler, database: Database) -> None:
    job = a_job("starting")
    with database.write() as session:
        session.add(job)
    sampler.sample()
    assert points(database, job) == []


def test_the_machine_shows_what_is_held_and_what_is_busy(
    run: Any, sampler: Sampler, database: Database
) -> None:
    capacity = Capacity(4, 8 * 2**30, ("0", "1"))
    gpus, peers = GpuReader(capacity.gpus), Peers(database, "here")
    compute = Compute(database, peers, capacity, sampler, sampler.machine, gpus)
    job = run(BURN, cpus=2.0, memory_bytes=2**30, gpus=1, gpu_ids=["1"])
    rounds(sampler, 3)
    [worker] = compute.workers()
    assert (worker.cpus_used, worker.memory_bytes_used, worker.gpus_used) == (2, 2**30, 1)
    assert [gpu.jobs for gpu in worker.gpu_details] == [[], [job.id]]
    assert worker.cpu_load is not None
    assert worker.cpu_load > 0.1
    assert (worker.memory_bytes_load or 0) > 10e6
    usage = compute.usage(job)
    assert usage.cpu_seconds > 0.2
    assert usage.peak_memory_bytes > 3e6
    assert usage.hints == []
