"""Which processes are a job's. Real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dlsys_server.training.memory import JobMemory
from dlsys_server.training.processes import proportional_bytes, read, scan, supervised

SHARE = """
import os, time, sys
held = bytearray(80 * 2**20)
held[::4096] = b"x" * len(held[::4096])
for _ in range(3):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
print("ready", flush=True)
time.sleep(60)
"""
FAMILY = """
import subprocess, sys, time
own = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(own.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child in a session of its own, named by `pid` in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout and process.stdin
    process.child = int(process.stdout.readline())  # type: ignore[attr-defined]
    (tmp_path / "pid").write_text(str(process.pid))
    yield process
    for pid in (process.child, process.pid):  # type: ignore[attr-defined]
        if psutil.pid_exists(pid):
            os.kill(pid, 9)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def members(folder: Path) -> tuple[set[int], set[int]]:
    found = supervised(folder, scan(), psutil.boot_time())
    return {p.pid for p in found.supervisor}, {p.pid for p in found.job}


def test_below_the_supervisor_in_any_session(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    assert members(tmp_path) == ({supervisor.pid}, {supervisor.child})  # type: ignore[attr-defined]


def test_the_leader_of_the_job_that_is_no_child_of_the_supervisor(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    child = supervisor.child  # type: ignore[attr-defined]
    (tmp_path / "pid").unlink()
    leader = read(child)
    assert leader is not None
    (tmp_path / "pgid").write_text(f"{child} boot {leader.started} cookie -")
    assert members(tmp_path) == (set(), {child})
    (tmp_path / "pgid").write_text(f"{child} boot {leader.started - 1} cookie -")
    assert members(tmp_path) == (set(), set()), "a stranger with the leader's number"


def test_a_later_process_with_the_number_of_a_dead_supervisor_is_a_stranger(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    long_ago = time.time() - 3600
    os.utime(tmp_path / "pid", (long_ago, long_ago))
    assert members(tmp_path) == (set(), set())


def test_an_attempt_that_has_not_begun_has_none(tmp_path: Path) -> None:
    assert members(tmp_path) == (set(), set())
    (tmp_path / "pid").write_text("nonsense")
    assert members(tmp_path) == (set(), set())


def test_cpu_time_of_children_that_ended_is_their_parents() -> None:
    begun = read(os.getpid())
    subprocess.run([sys.executable, "-c", "x = sum(i * i for i in range(3_000_000))"], check=True)
    after = read(os.getpid())
    assert begun and after
    assert after.cpu_seconds - begun.cpu_seconds > 0.1
    assert after.started == begun.started


def test_memory_shared_by_forked_processes_counts_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHARE], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout and process.stdout.readline()
        (tmp_path / "pid").write_text(str(process.pid))
        found = supervised(tmp_path, scan(), psutil.boot_time())
        tree = [*found.supervisor, *found.job]
        assert len(tree) == 4
        if proportional_bytes(process.pid) is None:
            pytest.skip("not applicable: this kernel does not tell proportional sizes")
        memory = JobMemory()
        assert 75e6 < memory.bytes(tree) < 160e6
        again = memory.bytes(tree)
        assert 75e6 < again < 160e6, "between exact looks the ratio of the last one holds"
        blind = JobMemory(lambda pid: None)
        assert blind.bytes(tree) == sum(p.resident_bytes for p in tree) > 300e6
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_exact_looks_are_as_seldom_as_they_are_slow(tmp_path: Path) -> None:
    looks = []

    def slow(pid: int) -> int:
        looks.append(pid)
        time.sleep(0.02)
        return 5

    me = read(os.getpid())
    assert me is not None
    memory = JobMemory(slow)
    assert memory.bytes([me]) == 5
    for _ in range(5):
        memory.bytes([me])
    assert len(looks) == 1
