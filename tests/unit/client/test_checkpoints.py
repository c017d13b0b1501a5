"""Checkpoints as user code sees them: whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy
import pytest

import jupyter_dlsys as dlsys
from jupyter_dlsys.client.errors import UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DLSYS_CHECKPOINT_DIR", str(tmp_path / "c"))
    return tmp_path / "c"


def save(step, text="x"):
    with dlsys.checkpoint(step=step) as at:
        (at / "state.txt").write_text(text)


def test_the_newest_is_found_and_two_are_kept(folder):
    assert dlsys.last_checkpoint() is None
    for step in (1, 2, 3):
        save(step, f"s{step}")
    last = dlsys.last_checkpoint()
    assert (last.step, (last / "state.txt").read_text()) == (3, "s3")
    assert os.path.exists(last) and os.fspath(last) == str(last.path)
    assert len(list(folder.iterdir())) == 2


def test_newest_is_the_one_saved_last_and_a_step_may_come_again(folder):
    save(9, "old")
    save(2, "a")
    save(2, "b")
    last = dlsys.last_checkpoint()
    assert (last.step, (last / "state.txt").read_text()) == (2, "b")


def test_a_block_that_fails_leaves_the_one_before(folder):
    save(1)

    def fail() -> None:
        with dlsys.checkpoint(step=2) as at:
            (at / "half").write_text("x")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dlsys.last_checkpoint().step == 1
    assert len(list(folder.iterdir())) == 1


def test_a_process_that_is_killed_leaves_the_one_before(folder):
    save(1)
    code = "import os, jupyter_dlsys as d\nwith d.checkpoint(step=2) as f:\n"
    code += "    (f / 'big').write_text('x' * 1000)\n    os.kill(os.getpid(), 9)\n"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert dlsys.last_checkpoint().step == 1
    save(3)
    assert sorted(n.split("-")[-1] for n in os.listdir(folder)) == ["1", "3"], "the rest is cleared"


def test_steps_are_whole_numbers(folder):
    save(numpy.int64(5))
    assert dlsys.last_checkpoint().step == 5
    for wrong in (-1, 1.5, "3", None, 2**40):
        with pytest.raises(UsageError, match="whole number"), dlsys.checkpoint(step=wrong):
            pass


def test_outside_of_a_job_they_lie_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("DLSYS_CHECKPOINT_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    save(0)
    assert dlsys.last_checkpoint().path.parent == tmp_path / "checkpoints"
