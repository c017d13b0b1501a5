"""A platform killed in the middle of commits loses nothing that it had answered."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.datasets import ANN, open_room

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from pathlib import Path
from tests.support.datasets import ANN, csv, open_room
room = open_room(Path(sys.argv[1]), chunk_bytes=2000)
start = room.datasets.show(ANN, "default", "d").version
for number in range(start + 1, start + 10000):
    if number % 5 == 0:
        made = room.delete("d", f"text == 'row {number - 1} 0'")
    else:
        rows = [(f"row {number} {i}", f"label{number % 3}") for i in range(200)]
        made = room.commit("d", "a.csv", csv(*rows), key=None)
    print(made.version, made.rows, made.hash, flush=True)
"""


@pytest.mark.integration
@pytest.mark.kill
def test_kill_9_while_committing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    room = open_room(home)
    room.create("d")
    answered: dict[int, tuple[int, str]] = {}
    for _ in range(4):
        answered |= _run_and_kill(home)
        versions = sorted(room.history("d"))
        assert versions == list(range(1, len(versions) + 1))
        assert set(answered) <= set(versions)
    assert len(answered) > 8
    newest = max(answered)
    for version in {1, newest // 2, newest, len(room.history("d"))}:
        found = room.datasets.version(ANN, "default", "d", f"v{version}")
        if version in answered:
            assert (found.rows, found.hash) == answered[version]
        assert room.snapshot("d", ref=f"v{version}").rows == found.rows
    again = room.commit("d", "a.csv", "text,label\nlast,label0\n")
    assert again.version == len(versions) + 1
    room.close()


def _run_and_kill(home: Path) -> dict[int, tuple[int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}"},
        start_new_session=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    time.sleep(random.uniform(0.05, 0.4))
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    parts = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return {int(version): (int(rows), hash) for version, rows, hash in parts}
