"""The gateway as a process: it outlives who started it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from .harness import Gateway, deployment, environment, output, texts, version

pytestmark = [pytest.mark.integration, pytest.mark.kill]
PATH = "/v2/models/mood/infer"


def test_life_and_death(gateway: Gateway, folders: dict[str, Path]) -> None:
    gateway.apply(mood=deployment("1", {"1": version(folders["angry"])}))
    url = gateway.url
    assert stat.S_IMODE((gateway.folder / "gateway.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((gateway.folder / "gateway.json").stat().st_mode) == 0o600
    second = subprocess.run(
        [sys.executable, "-m", "dlsys_server.serving.gateway", "--folder", str(gateway.folder)],
        env=environment(), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert second.returncode == 3
    assert "another gateway" in second.stderr

    # Killed: no worker stays; the next one serves the same at the same address.
    workers = gateway.workers()
    assert len(workers) == 1
    assert gateway.process
    gateway.process.kill()
    gateway.process.wait()
    _gone(workers)
    gateway.start()
    assert gateway.control("POST", "/apply").json()["failed"] == {}
    assert gateway.url == url
    assert output(gateway.post(PATH, texts("a")), "label") == ["angry"]

    workers = gateway.workers()
    gateway.stop()
    assert gateway.process.returncode == 0
    _gone(workers)
    assert not (gateway.folder / "gateway.json").exists()
    assert not (gateway.folder / "gateway.sock").exists()


def test_outlives_its_parent(gateway: Gateway) -> None:
    gateway.stop()
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'dlsys_server.serving.gateway', '--folder',"
        f" {str(gateway.folder)!r}], start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stdout=subprocess.PIPE
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    try:
        gateway.wait_up(pid)
        memory = psutil.Process(pid).memory_info().rss
        parent.kill()
        parent.wait()
        parent.stdout.close()
        time.sleep(0.3)
        with gateway.client() as client:
            assert client.get("/ping").status_code == 200
        assert memory < 60e6
    finally:
        os.kill(pid, signal.SIGTERM)
        _gone([psutil.Process(pid)] if psutil.pid_exists(pid) else [])


def _gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=6)
    assert [p for p in left if p.status() != psutil.STATUS_ZOMBIE] == []
