"""The supervisor gives every attempt one verdict, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import SUPERVISOR, Attempt, alive, wait_for


def test_success_and_what_is_recorded(attempt: Attempt) -> None:
    result = attempt.shell("echo hello; echo $COLOUR; pwd", env={"COLOUR": "red"}).run()
    assert result["exit_code"] == 0
    assert result["reason"] is None
    assert result["message"] == "Finished"
    assert abs(result["finished_at"] - time.time()) < 60
    assert attempt.read("log").split() == ["hello", "red", str(attempt.folder)]
    for name in ("result.json", "pid", "pgid", "log", "lock"):
        assert (attempt.folder / name).stat().st_mode & 0o077 == 0, name


def test_failure_tells_the_last_words(attempt: Attempt) -> None:
    result = attempt.shell("echo cannot open the pod bay doors >&2; exit 7").run()
    assert (result["exit_code"], result["reason"]) == (7, "user-error")
    assert result["message"] == "Ended with exit code 7: cannot open the pod bay doors"


def test_error_file_of_the_runner_is_the_message(attempt: Attempt) -> None:
    error = {"ename": "ValueError", "evalue": "bad", "cell": 2, "message": "ValueError: bad"}
    result = attempt.shell(f"echo '{json.dumps(error)}' > job/error.json; exit 1").run()
    assert (result["reason"], result["message"]) == ("user-error", "ValueError: bad")


def test_killed_by_a_signal(attempt: Attempt) -> None:
    result = attempt.shell("kill -9 $$").run()
    assert (result["exit_code"], result["reason"]) == (-9, "killed")
    assert result["message"] == "It was killed by signal 9 (probably out of memory)"


def test_a_crash_is_not_the_machines_fault(attempt: Attempt) -> None:
    result = attempt.shell("kill -SEGV $$").run()
    assert (result["exit_code"], result["reason"]) == (-11, "crashed")
    assert result["message"] == "It was killed by signal 11 (it crashed)"


@pytest.mark.parametrize(
    "more", [{"command": ["/no/such/program"]}, {"command": ["true"], "cwd": "/no/such/folder"}]
)
def test_a_command_that_cannot_start_gets_a_verdict(attempt: Attempt, more: dict) -> None:
    result = attempt.spec(**more).run()
    assert result["reason"] == "launch-failed"
    assert "could not be started" in result["message"]


def test_a_damaged_spec_gets_a_verdict(attempt: Attempt) -> None:
    (attempt.folder / "spec.json").write_text('{"comm')
    assert attempt.run()["reason"] == "launch-failed"


def test_time_limit(attempt: Attempt) -> None:
    began = time.monotonic()
    result = attempt.shell("sleep 60", timeout=0.5).run()
    assert time.monotonic() - began < 5
    assert result["reason"] == "timeout"
    assert result["message"] == "Ran longer than its time limit of 0.5 s"


def test_cancel_lets_the_command_end_by_itself(attempt: Attempt) -> None:
    attempt.shell("trap 'echo saved; exit 3' TERM; echo $$ > me; while :; do sleep 0.05; done")
    attempt.launch()
    attempt.number("me")
    (attempt.folder / "cancel").touch()
    result = attempt.finish(5)
    assert (result["reason"], result["message"]) == ("cancelled", "Cancelled")
    assert "saved" in attempt.read("log")


def test_cancel_before_the_start_runs_nothing(attempt: Attempt) -> None:
    attempt.shell("echo ran > ran")
    (attempt.folder / "cancel").touch()
    assert attempt.run()["reason"] == "cancelled"
    assert not (attempt.folder / "ran").exists()


@pytest.mark.kill
def test_cancel_of_a_stubborn_tree_takes_less_than_two_seconds(attempt: Attempt) -> None:
    """Ignores SIGTERM, and has a grandchild in a session of its own whose parent has ended."""
    attempt.shell(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$ > far; sleep 300' &) ; "
        "echo $$ > me; while :; do sleep 300; done",
        grace=1,
    )
    attempt.launch()
    pids = [attempt.number("far"), attempt.number("me")]
    began = time.monotonic()
    (attempt.folder / "cancel").touch()
    result = attempt.finish(10)
    assert time.monotonic() - began < 2
    assert result["reason"] == "cancelled"
    assert "was killed" in result["message"]
    assert not any(map(alive, pids))


@pytest.mark.kill
def test_what_a_finished_command_leaves_running_is_ended(attempt: Attempt) -> None:
    attempt.shell("(setsid sh -c 'echo $$ > far; sleep 300' &) ; while [ ! -s far ]; do :; done")
    assert attempt.run()["reason"] is None
    assert not alive(attempt.number("far"))


@pytest.mark.kill
def test_killed_supervisor_is_lost_its_orphans_end_and_nothing_runs_twice(attempt: Attempt) -> None:
    attempt.shell(
        "echo once >> runs; (setsid sh -c 'echo $$ > far; sleep 300' &) ; echo $$ > me; sleep 300"
    )
    supervisor = attempt.launch()
    pids = [attempt.number("far"), attempt.number("me")]
    supervisor.kill()
    supervisor.wait()
    assert alive(pids[0])  # nothing but a new supervisor can find it
    result = attempt.run()
    assert (result["reason"], result["exit_code"]) == ("lost", -1)
    assert "ended unexpectedly" in result["message"]
    assert not any(map(alive, pids))
    assert attempt.read("runs") == "once\n"


def test_orphans_of_another_boot_are_left_alone(attempt: Attempt) -> None:
    attempt.shell("echo ran > ran")
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (attempt.folder / "pid").write_text("1")
        (attempt.folder / "pgid").write_text(f"{stranger.pid} another-boot 1 cookie -")
        result = attempt.run()
        assert result["reason"] == "lost"
        assert "restarted" in result["message"]
        assert stranger.poll() is None
        assert not (attempt.folder / "ran").exists()
    finally:
        stranger.kill()
        stranger.wait()


def test_orphan_kill_spares_a_stranger_with_the_same_number(attempt: Attempt) -> None:
    attempt.shell("true")
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (attempt.folder / "pid").write_text("1")
        (attempt.folder / "pgid").write_text(f"{stranger.pid} {boot} 1 cookie -")
        assert attempt.run()["reason"] == "lost"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_replayed_launch_does_nothing(attempt: Attempt) -> None:
    attempt.shell("echo once >> runs")
    first = attempt.run()
    assert attempt.run() == first
    assert attempt.read("runs") == "once\n"


def test_second_supervisor_gives_way(attempt: Attempt) -> None:
    attempt.shell("echo once >> runs; echo $$ > me; sleep 3")
    attempt.launch()
    attempt.number("me")
    command = [sys.executable, "-S", "-E", str(SUPERVISOR), str(attempt.folder)]
    assert subprocess.run(command, check=False).returncode == 75
    assert attempt.finish()["reason"] is None
    assert attempt.read("runs") == "once\n"


def test_many_launches_at_once_run_it_once(attempt: Attempt) -> None:
    attempt.shell("echo once >> runs; sleep 0.3")
    command = [sys.executable, "-S", "-E", str(SUPERVISOR), str(attempt.folder)]
    several = [subprocess.Popen(command) for _ in range(5)]
    assert {p.wait(20) for p in several} <= {0, 75}
    assert attempt.read("runs") == "once\n"
    assert attempt.result()["reason"] is None


def test_sigterm_to_the_supervisor_is_a_cancel(attempt: Attempt) -> None:
    attempt.shell("echo $$ > me; sleep 60")
    supervisor = attempt.launch()
    attempt.number("me")
    supervisor.send_signal(signal.SIGTERM)
    assert attempt.finish(5)["reason"] == "cancelled"


def test_memory_limit(attempt: Attempt) -> None:
    eater = (
        "import time; x = bytearray(b'x') * 300_000_000; open('me', 'w').write('1'); time.sleep(60)"
    )
    attempt.spec([sys.executable, "-c", eater], limits={"memory": 100 * 2**20})
    began = time.monotonic()
    result = attempt.run()
    assert time.monotonic() - began < 20
    assert result["reason"] == "out-of-memory"
    assert result["message"].startswith("Used more memory than its limit of 100 MiB. Ask for more")


def test_limits_of_the_process(attempt: Attempt) -> None:
    attempt.shell("ulimit -c; ulimit -v; ulimit -n").run()
    core, memory, files = attempt.read("log").split()
    assert (core, memory) == ("0", "unlimited")
    assert int(files) >= 1024


def test_the_lock_says_alive(attempt: Attempt) -> None:
    import fcntl

    attempt.shell("echo $$ > me; sleep 0.5")
    attempt.launch()
    attempt.number("me")
    with open(attempt.folder / "lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        attempt.finish()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_it_outlives_who_started_it(attempt: Attempt) -> None:
    """The launcher and its whole session end at once; the job goes on."""
    attempt.shell("echo $$ > me; sleep 1; echo end > end")
    command = [sys.executable, "-S", "-E", str(SUPERVISOR), str(attempt.folder)]
    launcher = f"import subprocess, time\nsubprocess.Popen({command})\ntime.sleep(60)"
    platform = subprocess.Popen([sys.executable, "-c", launcher], start_new_session=True)
    attempt.number("me")
    os.killpg(platform.pid, signal.SIGKILL)
    platform.wait()
    wait_for((attempt.folder / "result.json").exists)
    assert attempt.result()["reason"] is None
    assert (attempt.folder / "end").exists()


def test_a_job_that_starts_too_many_processes_is_stopped(attempt: Attempt) -> None:
    """Harmless without the limit too: 300 sleeping processes that end by themselves."""
    bomb = (
        "import os, time\n"
        "for _ in range(300):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(15); os._exit(0)\n"
        "time.sleep(15)\n"
    )
    attempt.spec([sys.executable, "-c", bomb], limits={"processes": 50})
    began = time.monotonic()
    result = attempt.run()
    assert time.monotonic() - began < 12
    assert result["reason"] == "too-many-processes", result
    assert "50 processes" in result["message"]


def test_a_job_that_fills_the_disk_is_stopped(attempt: Attempt) -> None:
    writer = (
        "import time\n"
        "for n in range(200):\n"
        "    open(f'job/{n}', 'wb').write(bytes(1_000_000)); time.sleep(0.02)\n"
        "time.sleep(20)\n"
    )
    attempt.spec([sys.executable, "-c", writer], limits={"disk": 20_000_000})
    began = time.monotonic()
    result = attempt.run()
    assert time.monotonic() - began < 15
    assert result["reason"] == "disk-full", result
    assert "may have 19 MiB" in result["message"]


def test_one_file_cannot_be_larger_than_the_disk_limit(attempt: Attempt) -> None:
    writer = "open('job/x', 'wb').write(bytes(30_000_000))"
    result = attempt.spec([sys.executable, "-c", writer], limits={"disk": 20_000_000}).run()
    assert (attempt.own / "x").stat().st_size <= 20_000_000
    assert result["reason"] in ("user-error", "disk-full")


def test_the_bell_is_rung_when_it_starts_and_ends(attempt: Attempt) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        os.chdir(attempt.folder.parents[1])
        bell.bind("bell")
        bell.settimeout(20)
        attempt.shell("true").launch()
        assert bell.recv(8) and bell.recv(8)
        attempt.finish()


def test_a_link_in_place_of_the_error_file_is_not_followed(attempt: Attempt) -> None:
    (attempt.folder / "secret").write_text(json.dumps({"message": "a secret of the platform"}))
    result = attempt.shell("ln -s ../secret job/error.json; exit 4").run()
    assert "secret" not in result["message"]
