"""A process with the loop of schedules alone, on a clock that runs fast: `loop.py HOME URL SPEED
ORIGIN END`. The clock shows ORIGIN at that moment of the real one, runs SPEED times as fast, and
stands still at END (both in epoch seconds)."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from dlsys_server.core.settings import Settings
from dlsys_server.parts import build


def fast(speed: float, origin: float, end: float) -> datetime:
    """What the clock shows."""
    shown = min(end, origin + (time.time() - origin) * speed)
    return datetime.fromtimestamp(shown, timezone.utc)


def main(home: str, url: str, speed: float, origin: float, end: float) -> None:
    """Until it is killed."""
    parts = build(Settings(home=Path(home), database_url=url, warm=False), "secret", str, "0")
    firer = parts.schedules.firer
    firer.now = lambda: fast(speed, origin, end)
    print("ready", flush=True)
    while True:
        time.sleep(min(0.02, firer.tick() / speed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(float(text) for text in sys.argv[3:6]))
