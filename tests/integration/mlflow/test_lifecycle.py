"""The child: starts in the background, comes back when killed, goes when its parent goes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import Host, begin, finish


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Host]:
    # Longer than a unix socket's path may be.
    folder = tmp_path / ("deep" * 20)
    folder.mkdir()
    running = begin(folder)
    yield running
    if running.process.poll() is None:
        finish(running)


@pytest.mark.kill
def test_a_life(fresh: Host) -> None:
    early = fresh.api("alice", "POST", "experiments/search", json={"max_results": 5})
    assert early.status_code == 503, "the platform answers while MLflow starts"
    assert int(early.headers["retry-after"]) > 0
    assert early.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    fresh.wait_ready()
    run_id = fresh.new_run("survivor")

    first = fresh.state()["pid"]
    os.kill(first, signal.SIGKILL)
    # The stock client's own retries bridge the gap.
    program = f"import mlflow; print('RESULT', mlflow.get_run('{run_id}').info.run_name)"
    assert "RESULT survivor" in fresh.program(program, "alice", MLFLOW_WORKSPACE="ws-a")
    second = fresh.state()["pid"]
    assert second != first

    socket = Path(fresh.state()["socket"])
    assert socket.stat().st_mode & 0o777 == 0o600
    assert socket.parent.stat().st_mode & 0o077 == 0
    fresh.process.kill()
    fresh.process.wait()
    end = time.monotonic() + 15
    while psutil.pid_exists(second):
        assert time.monotonic() < end, "the child outlived its parent"
        time.sleep(0.1)


def test_secrets_are_not_on_the_command_line(host: Host) -> None:
    state = host.state()
    assert state["secret"] not in " ".join(psutil.Process(state["pid"]).cmdline())
    assert len(psutil.Process(state["pid"]).children(recursive=True)) == 0, "one process only"
