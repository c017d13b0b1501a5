"""The name under which this worker is known in job rows: it goes with the attempts folder, not with
the host, whose name may change while the folder stays (a container that is made anew)."""

from __future__ import annotations

import os
import platform
import secrets
from pathlib import Path


def worker_name(attempts: Path) -> str:
    """Name of the worker whose attempts lie in this folder; made when it has none yet."""
    path = attempts / "worker"
    attempts.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if found := path.read_text("utf-8").strip():
            return found
    except FileNotFoundError:
        pass
    part = attempts / f".worker-{secrets.token_hex(4)}"
    part.write_text(f"{platform.node()[:40] or 'local'}-{secrets.token_hex(4)}", "utf-8")
    try:
        os.link(part, path)  # of two that make one, the first wins
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return path.read_text("utf-8").strip()
