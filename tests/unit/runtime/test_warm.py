"""The zygote: what is forked from it behaves like a new process, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import PACKAGE, Attempt, alive, wait_for

IMPORTS = "numpy,torch,threadpoolctl"


class Zygote:
    """A real one, as the platform starts it."""

    def __init__(self, folder: Path, imports: str = IMPORTS, path: Path = PACKAGE.parent) -> None:
        self.path = folder / "z.sock"
        self.log = folder / "zygote.log"
        self.temporary = folder / "t"
        self.temporary.mkdir()
        env = {
            **os.environ,
            "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{path}",
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
            "OPENBLAS_NUM_THREADS": "1",
            "DLSYS_ATTEMPT_COOKIE": "0" * 32,
            "TMPDIR": str(self.temporary),
        }
        command = [sys.executable, "-m", "jupyter_dlsys.runtime.zygote", "--socket", str(self.path)]
        command += ["--imports", imports, "--parent", str(os.getpid())]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def ask(self, **request: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            return dict(json.loads(connection.makefile().readline()))

    def until_parked(self) -> Zygote:
        wait_for(self.path.exists, 60)
        wait_for(lambda: self.ask(op="status")["parked"], 60)
        return self

    def run(self, attempt: Attempt, kernel: bool = True, seconds: float = 60) -> dict[str, Any]:
        self.ask(op="launch", folder=str(attempt.folder), kernel=kernel)
        wait_for((attempt.folder / "result.json").exists, seconds)
        return attempt.result()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("z"))
    yield zygote
    zygote.process.terminate()
    assert zygote.process.wait(10) == 0, zygote.log.read_text()


@pytest.fixture
def zygote(running: Zygote) -> Zygote:
    return running.until_parked()


def start_of(attempt: Attempt) -> dict[str, Any]:
    return attempt.events("job.start")[0]


def test_a_parked_kernel_runs_the_notebook(zygote: Zygote, attempt: Attempt) -> None:
    env = {"COLOUR": "red", "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    attempt.notebook(
        "import os, sys, torch; print(os.environ['COLOUR'], os.getcwd(), 'DLSYS_X' in os.environ)",
        "print(torch.ones(3).sum().item(), torch.get_num_threads())",
        env=env,
        cwd=str(attempt.own / "work"),
    )
    (attempt.own / "work").mkdir()
    result = zygote.run(attempt)
    assert result["reason"] is None, attempt.read("log")
    assert start_of(attempt) == {"mode": "parked", "reason": ""}
    assert attempt.text(0).split() == ["red", str(attempt.own / "work"), "False"]
    assert attempt.text(1).split() == ["3.0", "1"]
    assert len(attempt.executed()) == 2


def test_each_job_is_a_new_process_with_its_own_random_numbers(zygote: Zygote, tmp_path) -> None:
    seen = []
    for number in range(2):
        folder = tmp_path / str(number) / "1"
        folder.mkdir(parents=True)
        attempt = Attempt(folder)
        attempt.notebook(
            "import os, random, numpy, torch\nassert 'left' not in globals(); left = 1",
            "print(os.getpid(), random.random(), numpy.random.rand(), torch.rand(1).item())",
        )
        zygote.until_parked()
        assert zygote.run(attempt)["reason"] is None, attempt.read("log")
        seen.append(attempt.text(1).split())
    assert all(first != second for first, second in zip(*seen, strict=True))


def test_a_second_job_at_once_is_forked_and_says_why(zygote: Zygote, tmp_path) -> None:
    attempts = []
    for number in range(3):
        folder = tmp_path / str(number) / "1"
        folder.mkdir(parents=True)
        attempts.append(Attempt(folder).notebook("import time; time.sleep(0.5)"))
        zygote.ask(op="launch", folder=str(folder), kernel=True)
    for attempt in attempts:
        wait_for((attempt.folder / "result.json").exists, 60)
        assert attempt.result()["reason"] is None, attempt.read("log")
    modes = [start_of(a)["mode"] for a in attempts]
    assert modes == ["parked", "forked", "forked"]
    assert "had just been taken" in start_of(attempts[1])["reason"]


@pytest.mark.parametrize("which", ["runner", "kernel"])
def test_a_process_that_was_killed_while_it_waited_counts_as_killed(
    zygote: Zygote, attempt: Attempt, which: str
) -> None:
    """Not as one that could not be started: that would not be tried again."""
    attempt.notebook("print('never')")
    (supervisor,) = psutil.Process(zygote.process.pid).children()
    (runner,) = supervisor.children()
    victim = runner if which == "runner" else runner.children()[0]
    victim.kill()
    wait_for(lambda: victim.status() == psutil.STATUS_ZOMBIE)
    result = zygote.run(attempt)
    assert result["reason"] == "killed", result
    assert "signal 9" in result["message"]


def test_what_reads_its_variables_at_import_starts_cold(zygote: Zygote, attempt: Attempt) -> None:
    attempt.notebook("import os\nos.environ['OMP_NUM_THREADS'] = '2'\nimport torch", "print(1)")
    assert zygote.run(attempt)["reason"] is None
    start = start_of(attempt)
    assert start["mode"] == "cold"
    assert "OMP_NUM_THREADS" in start["reason"]


def test_a_failing_cell_is_told_as_in_a_cold_job(zygote: Zygote, attempt: Attempt) -> None:
    attempt.notebook("1/0")
    result = zygote.run(attempt)
    assert result["reason"] == "user-error"
    assert result["message"] == "ZeroDivisionError: division by zero (cell 1)"


def test_a_script_is_forked(zygote: Zygote, attempt: Attempt) -> None:
    attempt.script(
        "import sys, torch, atexit\natexit.register(print, 'bye')\nprint(__name__, sys.argv[1:])\n"
        "sys.exit(3)",
        parameters={"lr": 0.1},
    )
    result = zygote.run(attempt, kernel=False)
    assert (result["reason"], result["exit_code"]) == ("user-error", 3)
    assert start_of(attempt)["mode"] == "forked"
    said = "".join(e["text"] for e in attempt.events("job.log"))
    assert said.split("\n")[:2] == ["__main__ ['--lr=0.1']", "bye"]


def test_loader_workers_and_threads_work_after_the_fork(zygote: Zygote, attempt: Attempt) -> None:
    """Deadlocks where a thread was alive at the fork."""
    attempt.notebook(
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "torch.set_num_threads(2)\n"
        "x = torch.rand(300, 300, requires_grad=True)\n(x @ x).sum().backward()\n"
        "torch.linalg.svd(x)\n"
        "data = TensorDataset(torch.arange(64.0))\n"
        "print(sum(b[0].sum().item() for b in DataLoader(data, batch_size=8, num_workers=2)))",
    )
    assert zygote.run(attempt)["reason"] is None, attempt.read("log")
    assert attempt.text().split() == ["2016.0"]


def test_limits_hold_in_the_kernel(zygote: Zygote, attempt: Attempt) -> None:
    attempt.notebook(
        "x = bytearray(b'x') * 400_000_000\nimport time; time.sleep(30)",
        limits={"memory": 300 * 2**20, "processes": 500, "disk": None},
    )
    result = zygote.run(attempt)
    assert result["reason"] == "out-of-memory", result
    assert "300 MiB" in result["message"]


@pytest.mark.kill
def test_cancel_ends_the_whole_tree_within_two_seconds(zygote: Zygote, attempt: Attempt) -> None:
    attempt.notebook(
        "import os, subprocess, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "far = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    os.setsid(); time.sleep(300)\n"
        f"with open({str(attempt.folder / 'pids')!r}, 'w') as out:\n"
        "    out.write(f'{os.getpid()} {far.pid} {pid}')\n"
        "while True:\n    try: time.sleep(300)\n    except BaseException: pass",
        grace=1.5,
        cancel_grace=1.5,
    )
    zygote.ask(op="launch", folder=str(attempt.folder), kernel=True)
    wait_for((attempt.folder / "pids").exists, 30)
    time.sleep(0.2)
    pids = [int(pid) for pid in attempt.read("pids").split()]
    began = time.monotonic()
    (attempt.folder / "cancel").touch()
    wait_for((attempt.folder / "result.json").exists, 10)
    assert time.monotonic() - began < 2
    assert attempt.result()["reason"] == "cancelled"
    assert not any(map(alive, pids))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, attempt: Attempt) -> None:
    zygote = Zygote(tmp_path, imports="").until_parked()
    sockets = lambda: list(zygote.temporary.glob("dlsys-*"))  # noqa: E731
    assert len(sockets()) == 1
    up = attempt.folder / "up"
    attempt.notebook(
        f"import os, signal, time\nopen({str(up)!r}, 'w').close()\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(300)",
        cancel_grace=0.5,
    )
    zygote.ask(op="launch", folder=str(attempt.folder), kernel=True)
    wait_for(up.exists, 30)
    zygote.until_parked()
    assert len(sockets()) == 2
    (attempt.folder / "cancel").touch()
    wait_for(lambda: len(sockets()) == 1, 10)  # the next kernel's
    zygote.process.terminate()
    zygote.process.wait(10)
    wait_for(lambda: not sockets(), 10)


@pytest.mark.kill
def test_orphans_of_a_killed_supervisor_are_found(zygote: Zygote, attempt: Attempt) -> None:
    """A forked process that never called exec shows the zygote's environment and the cookie."""
    attempt.notebook(
        "import os, time\nfirst = os.fork()\n"
        "if first == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        open({str(attempt.folder / 'far')!r}, 'w').write(str(os.getpid()))\n"
        "        time.sleep(300)\n"
        "    os._exit(0)\n"
        "os.waitpid(first, 0); time.sleep(300)"
    )
    zygote.ask(op="launch", folder=str(attempt.folder), kernel=True)
    far = attempt.number("far")
    os.kill(int(attempt.read("pid")), signal.SIGKILL)
    time.sleep(0.5)
    assert alive(far)
    result = attempt.run()
    assert result["reason"] == "lost"
    assert not alive(far)


@pytest.mark.kill
def test_jobs_go_on_without_the_zygote(tmp_path: Path, attempt: Attempt) -> None:
    zygote = Zygote(tmp_path).until_parked()
    try:
        attempt.notebook(
            "import time, pathlib\n"
            f"pathlib.Path({str(tmp_path / 'up')!r}).touch()\ntime.sleep(1.5)",
            "print('end')",
        )
        zygote.ask(op="launch", folder=str(attempt.folder), kernel=True)
        wait_for((tmp_path / "up").exists, 30)
    finally:
        zygote.process.kill()
        zygote.process.wait()
    wait_for((attempt.folder / "result.json").exists, 30)
    assert attempt.result()["reason"] is None
    assert attempt.text() == "end\n"


def test_what_starts_a_thread_is_refused(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    zygote = Zygote(tmp_path, "busy", path=tmp_path)
    assert zygote.process.wait(60) == 3
    assert "2 threads after the imports" in zygote.log.read_text()
