"""The folder of an attempt, reached and changed only by descriptors: no name is looked up twice and
no link is followed, whatever the platform or the job put there meanwhile.

    ROOT/JOB/N        the platform's: nobody else may change it
    ROOT/JOB/N/job    the job's own: `give` makes it the person's, `give_back` lets the platform in
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from .rules import Person, Refused, Rules

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
DEEPEST = 100
INSIDE = 0o2770
"""Mode of folders: the person and the platform's group; what is made inside has that group too."""


@contextmanager
def opened(rules: Rules, job: str, attempt: int) -> Iterator[int]:
    """Descriptor of the job's own folder in an attempt.

    Raises:
        Refused: there is none, or it is not the platform's on the way there.
    """
    folders: list[int] = []
    try:
        folders.append(os.open(rules.root, FOLDER))
        _check(folders[-1], rules)
        for name in (job, str(attempt)):
            folders.append(os.open(name, FOLDER, dir_fd=folders[-1]))
            _check(folders[-1], rules)
        folders.append(os.open("job", FOLDER, dir_fd=folders[-1]))
    except OSError as error:
        _close(folders)
        words = error.strerror or "cannot be opened"
        raise Refused(f"The folder of the attempt is not as it must be: {words}") from None
    except Refused:
        _close(folders)
        raise
    try:
        yield folders[-1]
    finally:
        _close(folders)


def _close(folders: list[int]) -> None:
    for folder in folders:
        os.close(folder)


def _check(folder: int, rules: Rules) -> None:
    found = os.fstat(folder)
    if found.st_uid != rules.uid or found.st_mode & OTHERS_MAY_WRITE:
        raise Refused("The folder of the attempt is not the platform's alone")


def give(folder: int, person: Person, rules: Rules) -> None:
    """Make a folder that the platform prepared, and all in it, the person's.

    The folder itself comes last: until then the person cannot enter it.

    Raises:
        Refused: it is not the platform's, or something in it is neither file nor folder.
    """
    if os.fstat(folder).st_uid != rules.uid:
        raise Refused("The job's own folder is not the platform's to give")
    for opened_one in _below(folder, strict=True):
        found = os.fstat(opened_one)
        theirs = found.st_uid == person.uid  # a checkpoint of an attempt before
        single = stat.S_ISDIR(found.st_mode) or found.st_nlink == 1
        if not (theirs or (found.st_uid == rules.uid and single)):
            raise Refused("A file in the job's own folder is not the platform's to give")
        _set(opened_one, person.uid, rules.gid, found)
    _set(folder, person.uid, rules.gid, os.fstat(folder))


def give_back(folder: int, uid: int, rules: Rules) -> None:
    """Let the platform's group into what the person's processes left; best done when none runs.

    Only what belongs to that person is changed, so a link to somebody else's file gains nothing.
    """
    for opened_one in chain([folder], _below(folder, strict=False)):
        found = os.fstat(opened_one)
        if found.st_uid == uid:
            with contextlib.suppress(OSError):
                _set(opened_one, uid, rules.gid, found)


def _set(opened_one: int, uid: int, gid: int, found: os.stat_result) -> None:
    """Owner, group and mode; never setuid or setgid on a file."""
    os.fchown(opened_one, uid, gid)
    if stat.S_ISDIR(found.st_mode):
        os.fchmod(opened_one, INSIDE)
    else:
        os.fchmod(opened_one, 0o770 if found.st_mode & stat.S_IXUSR else 0o660)


def _below(folder: int, strict: bool, depth: int = 0) -> Iterator[int]:
    """Descriptors of all files and folders below, folders after what is in them when giving
    (`strict`), before it when taking back: else what is in them could not be reached."""
    for name in os.listdir(folder):
        try:
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            inner = stat.S_ISDIR(kind)
            if not inner and not stat.S_ISREG(kind):
                raise Refused(f"{name[:64]!r} is neither file nor folder")
            found = os.open(name, FOLDER if inner else FILE, dir_fd=folder)
        except (OSError, Refused):
            if strict:
                raise
            continue
        try:
            if strict and depth >= DEEPEST:
                raise Refused("Its folders are too deep")
            if inner and strict:
                yield from _below(found, strict, depth + 1)
            yield found
            if inner and not strict and depth < DEEPEST:
                yield from _below(found, strict, depth + 1)
        finally:
            os.close(found)
