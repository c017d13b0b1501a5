"""Checkpoints: a job that is started again goes on from its last one.

    with dlsys.checkpoint(step=3) as folder:
        torch.save(model.state_dict(), folder / "state.pt")

    if (last := dlsys.last_checkpoint()) is not None:
        model.load_state_dict(torch.load(last / "state.pt"))
        first_step = last.step + 1

A checkpoint is there as a whole or not at all, whenever the process is killed. Standard library
only. Inside a job they lie in `DLSYS_CHECKPOINT_DIR`; elsewhere in `./checkpoints`.
"""

from __future__ import annotations

import contextlib
import errno
import operator
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.contract.checkpoints import FOLDER, MAX_STEP, in_order, name_of, parse

KEEP = 2
_UNFINISHED, _OLD = ".part-", ".old-"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: `path` is its folder, `last / "state.pt"` a file in it."""

    path: Path
    step: int

    def __fspath__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name


@contextmanager
def checkpoint(step: SupportsIndex) -> Iterator[Path]:
    """A folder to write a checkpoint into; it counts when the block ends without an error.

    The newest two are kept. One process of a job writes them (rank 0, say).

    Args:
        step: how far the training has come, 0 or more; `last_checkpoint().step` tells it again.
    """
    number = _checked(step)
    root = _root()
    root.mkdir(parents=True, exist_ok=True)
    _clear(root)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{os.getpid()}-", dir=root))
    try:
        yield unfinished
        _sync(unfinished)
        _publish(root, unfinished, number)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _forget_old(root)


def last_checkpoint() -> Checkpoint | None:
    """The newest complete checkpoint, of an earlier attempt of this job too; None when there is
    none."""
    found = complete(_root())
    return found[-1] if found else None


def complete(root: Path) -> list[Checkpoint]:
    """Complete checkpoints in a folder, oldest first."""
    try:
        names = in_order(os.listdir(root))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Checkpoint(root / name, _numbered(name)[1]) for name in names]


def _checked(step: SupportsIndex) -> int:
    try:
        number = operator.index(step)
    except TypeError:
        number = -1
    if 0 <= number <= MAX_STEP:
        return number
    raise UsageError(
        f"A checkpoint's step is a whole number from 0 to {MAX_STEP:,}, not {step!r}.",
        hint="with dlsys.checkpoint(step=3) as folder: …",
    )


def _root() -> Path:
    return Path(os.environ.get("DLSYS_CHECKPOINT_DIR") or FOLDER).absolute()


def _publish(root: Path, unfinished: Path, step: int) -> None:
    """Rename to a name that was never used: what was complete before stays untouched."""
    while True:
        number = max((number for number, _ in map(_numbered, os.listdir(root))), default=0) + 1
        try:
            unfinished.rename(root / name_of(number, step))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return _sync_folder(root)


def _numbered(name: str) -> tuple[int, int]:
    return parse(name) or (0, 0)


def _forget_old(root: Path) -> None:
    for old in complete(root)[:-KEEP]:
        gone = root / f"{_OLD}{old.path.name}"
        with contextlib.suppress(OSError):
            old.path.rename(gone)  # half of it removed, it would still look complete
        shutil.rmtree(gone, ignore_errors=True)


def _clear(root: Path) -> None:
    """Remove what a killed process began."""
    for name in os.listdir(root):
        pid = name.removeprefix(_UNFINISHED).split("-")[0]
        abandoned = name.startswith(_UNFINISHED) and pid.isdigit() and not _alive(int(pid))
        if abandoned or name.startswith(_OLD):
            shutil.rmtree(root / name, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sync(folder: Path) -> None:
    """Make everything in it durable, from the bottom up."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            file = os.path.join(path, name)
            if os.path.isfile(file) and not os.path.islink(file):
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
        _sync_folder(Path(path))


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
