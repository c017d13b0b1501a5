"""Jobs that take more than is good: the limit holds, the job says why, and others do not notice."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import files, processes
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROCESSES = 200
DISK = 96 * 2**20
FORKS = 2_000
"""As far as the bomb goes when nothing holds it; its children end by themselves."""
BOMB = f"""
import os, time
end = time.monotonic() + 15
for number in range({FORKS}):
    try:
        if os.fork() == 0:
            time.sleep(max(0, end - time.monotonic()))
            os._exit(0)
    except OSError:
        time.sleep(0.05)
    if time.monotonic() > end:
        break
print('forked', number, flush=True)
time.sleep(max(0, end - time.monotonic()))
"""
FILL = f"""
import os, time
piece = os.urandom(2**20)
with open('large', 'wb', buffering=0) as file:
    for _ in range({DISK * 4 // 2**20}):
        file.write(piece)
        time.sleep(0.02)
print('wrote it all')
"""
FILL_BY_MANY = FILL.replace("'large', 'wb'", "'large-0', 'wb'").replace(
    "        file.write(piece)\n", "        open(f'large-{_}', 'wb').write(piece)\n"
)
PRINT = """
import os, pathlib, time
for _ in range(12_000):
    print('y' * 9_999)
(pathlib.Path(os.environ['DLSYS_OUTPUT_DIR']) / 'printed').write_text('120 MB')
while True:
    print('z' * 9_999)
"""
DISPLAY = """
from IPython.display import HTML, display
for number in range(10):
    display(HTML(chr(97 + number) * 10_000_000))
"""
NEIGHBOUR = """
import time
for tick in range({ticks}):
    time.sleep(0.1)
print('finished in peace')
"""


@pytest.fixture(scope="module")
def tight(session_root: Path) -> Iterator[RunningPlatform]:
    """A platform with small limits."""
    home = Path(tempfile.mkdtemp(prefix="p", dir=session_root))
    running = RunningPlatform(
        home,
        DLSYS_CPUS="3",
        DLSYS_JOB_PROCESSES=str(PROCESSES),
        DLSYS_JOB_DISK_BYTES=str(DISK),
    ).start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


class Watch:
    """A neighbour job, and how the platform does meanwhile."""

    def __init__(self, platform: RunningPlatform, seconds: int) -> None:
        self.platform = platform
        code = NEIGHBOUR.format(ticks=seconds * 10)
        self.neighbour = platform.submit(code, "neighbour.py")["id"]
        platform.wait_for(self.neighbour, "running")
        self.memory = self.largest = _resident(platform)
        self.slowest = 0.0

    def until(self, job: str, *states: str, seconds: float = 120) -> Any:
        """The job, once it is in one of these states; looks at the API all the time."""

        def look() -> Any:
            began = time.monotonic()
            found = self.platform.job(job)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.largest = max(self.largest, _resident(self.platform))
            return found if found["state"] in states else None

        return self.platform.wait(look, f"{job} to be {states}", seconds)

    def check(self) -> None:
        """Nobody was disturbed."""
        done = self.platform.wait_for(self.neighbour)
        assert done["state"] == "succeeded", done["reason"]
        assert self.slowest < 3, f"the API took {self.slowest:.1f} s"
        grown = (self.largest - self.memory) / 2**20
        assert grown < 256, f"the platform grew by {grown:.0f} MB"


def _resident(platform: RunningPlatform) -> int:
    assert platform.process is not None
    for line in Path(f"/proc/{platform.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the platform is gone")


def _size_of_events(platform: RunningPlatform, job: str) -> int:
    total, since = 0, 0
    while piece := platform.get(f"/jobs/{job}/events", since=since, limit=1000):
        total += sum(len(str(event["payload"])) for event in piece)
        since = piece[-1]["seq"]
    return total


def test_a_fork_bomb_is_stopped_and_says_so(tight: RunningPlatform) -> None:
    watch = Watch(tight, 8)
    job = tight.submit(BOMB, "bomb.py")["id"]
    ended = watch.until(job, "failed", "succeeded", seconds=60)
    assert (ended["state"], ended["exit_reason"]) == ("failed", "too-many-processes")
    assert f"{PROCESSES}" in ended["reason"] and "processes" in ended["reason"]
    watch.check()


@pytest.mark.parametrize("code", [FILL, FILL_BY_MANY], ids=["one file", "many files"])
def test_filling_the_disk_is_stopped_and_says_so(tight: RunningPlatform, code: str) -> None:
    watch = Watch(tight, 8)
    job = tight.submit(code, "fill.py")["id"]
    ended = watch.until(job, "failed", "succeeded", seconds=60)
    assert ended["state"] == "failed", ended
    assert ended["exit_reason"] in ("disk-full", "user-error"), ended
    if ended["exit_reason"] == "user-error":  # the limit of one file came before the look
        assert "File too large" in ended["reason"], ended
    else:
        assert "to the disk" in ended["reason"], ended
    watch.check()
    assert _size_of_large(tight.home / "attempts") < 2 * DISK


def _size_of_large(folder: Path) -> int:
    """Of the files that were written; they are being removed meanwhile."""
    total = 0
    for path in files.below(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.name.startswith("large") else 0
    return total


def test_printing_for_ever_costs_the_platform_little(tight: RunningPlatform) -> None:
    watch = Watch(tight, 20)
    job = tight.submit(notebook(PRINT))["id"]
    watch.until(job, "running")

    def printed() -> bool:
        found = tight.get(f"/jobs/{job}/artifacts")
        return any(artifact["path"] == "printed" for artifact in found)

    def shortened() -> bool:
        found = tight.get(f"/jobs/{job}/events", since=0, limit=5000)
        return "of text in this cell" in str(found)

    tight.wait(printed, "120 MB to be printed", 120)
    tight.wait(shortened, "the text to be shortened", 120)
    began = time.monotonic()
    tight.api.post(f"{PROJECT}/jobs/{job}/cancel")
    ended = watch.until(job, "cancelled", "failed", "succeeded", seconds=60)
    assert ended["state"] == "cancelled", ended["reason"]
    assert time.monotonic() - began < 15
    assert _size_of_events(tight, job) < 12_000_000
    watch.check()


def test_a_hundred_megabytes_of_display_data(tight: RunningPlatform) -> None:
    watch = Watch(tight, 10)
    job = tight.submit(notebook(DISPLAY, "print('after')"))["id"]
    ended = watch.until(job, "failed", "succeeded", seconds=120)
    assert ended["state"] == "succeeded", ended["reason"]
    assert _size_of_events(tight, job) < 12_000_000
    assert "after" in str(tight.get(f"/jobs/{job}/events", since=0, limit=5000))
    watch.check()
