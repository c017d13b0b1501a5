"""The last steps as root: from here on everything is the person's."""

from __future__ import annotations

import os
import resource
import signal
import sys

from jupyter_dlsys.runtime.supervisor.limits import lower
from jupyter_dlsys.runtime.supervisor.processes import PR_SET_NO_NEW_PRIVS, die_with_parent, prctl

from .rules import Person, Request

UMASK = 0o007
"""What a job makes, the platform's group may read: the folders have that group."""
BEFORE_THE_PERSON = ("HOME", "USER", "LOGNAME", "SHELL")


def become(person: Person, groups: list[int]) -> None:
    """Give up root for good.

    Raises:
        PermissionError: it did not work.
    """
    os.setgroups(groups)
    os.setresgid(person.gid, person.gid, person.gid)
    os.setresuid(person.uid, person.uid, person.uid)
    if os.getresuid() != (person.uid,) * 3 or os.getresgid() != (person.gid,) * 3:
        raise PermissionError("the account could not be changed")
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def run(person: Person, request: Request, own: str, log: int, parent: int) -> None:
    """Become the person and run the job's program; never returns.

    The environment is the person's business: it is set only by the exec, as the person.
    """
    groups = os.getgrouplist(person.name, person.gid)
    limits = dict(request.limits)
    os.setsid()
    die_with_parent(parent)
    lower(_rlimits(limits))
    become(person, groups)
    die_with_parent(parent)
    os.umask(UMASK)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(f"{own}/work")
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.execve(sys.executable, program(own), environment(person, request))  # noqa: S606


def program(own: str) -> list[str]:
    """The one program that is ever started."""
    return [sys.executable, "-m", "jupyter_dlsys.runtime.runner", own]


def environment(person: Person, request: Request) -> dict[str, str]:
    """The job's variables; who and where the person is comes from the system."""
    home = person.home if os.path.isdir(person.home) else "/nonexistent"
    asked = {k: v for k, v in request.env if k not in BEFORE_THE_PERSON}
    about = {"HOME": home, "USER": person.name, "LOGNAME": person.name, "SHELL": person.shell}
    return {**asked, **about}


def _rlimits(limits: dict[str, int]) -> list[tuple[int, int]]:
    found = [(resource.RLIMIT_CORE, 0)]
    if "disk" in limits:
        found.append((resource.RLIMIT_FSIZE, limits["disk"]))
    return found
