"""Processes with the loop of schedules alone, on a clock that runs fast.

`loop.py HOME URL`; each line of its input, `SPEED ORIGIN END`, forks one more and prints its pid.
The clock shows ORIGIN at that moment of the real one, runs SPEED times as fast, and stands still at
END (in epoch seconds). They are forked because a platform takes seconds to import, and its life is
to be shorter than that here.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from dlsys_server.building import build
from dlsys_server.core.settings import Settings


def fast(speed: float, origin: float, end: float) -> datetime:
    """What the clock shows."""
    shown = min(end, origin + (time.time() - origin) * speed)
    return datetime.fromtimestamp(shown, timezone.utc)


def fire(home: str, url: str, speed: float, origin: float, end: float) -> None:
    """Until it is killed."""
    parts = build(Settings(home=Path(home), database_url=url, warm=False), "secret", str, "0")
    firer = parts.schedules.firer
    firer.now = lambda: fast(speed, origin, end)
    while True:
        time.sleep(min(0.05, firer.tick() / speed))


def main(home: str, url: str) -> None:
    """Fork on demand until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            fire(home, url, *(float(text) for text in line.split()))
        print(child, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
