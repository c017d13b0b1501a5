"""Looks whether a backup is whole: every byte of every file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dlsys_server.core.store import hash_file

from . import manifest
from .manifest import Entry, Manifest
from .progress import Progress

WORKERS = 8
SHOWN = 5


def verified(folder: Path, progress: Progress) -> tuple[Manifest, str]:
    """The manifest of a backup of which every file is as it was written, and its SHA-256.

    Raises:
        Refused: it is no backup, or a file is missing or damaged.
    """
    found, digest = manifest.read(folder)
    files = found.files()
    progress.begin("verifying", len(files), found.bytes())

    def wrong(item: tuple[str, Entry]) -> str:
        path, entry = item
        said = _wrong(folder / path, entry)
        progress.add(entry.bytes)
        return f"{path} {said}" if said else ""

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        bad = [said for said in pool.map(wrong, files.items()) if said]
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise manifest.damaged(f"The backup is damaged: {'; '.join(bad[:SHOWN])}{more}.")
    return found, digest


def _wrong(path: Path, entry: Entry) -> str:
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            return f"has {size:,} bytes instead of {entry.bytes:,}"
        if hash_file(path) != entry.sha256:
            return "does not have its SHA-256"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""
