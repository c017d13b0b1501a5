"""Where systemd runs: each job in a scope of its own, which holds its limits (`--systemd`)."""

from __future__ import annotations

import json
import os
import sys

from jupyter_dlsys.runtime.supervisor.cgroups import ROOT

from .become import run as become_and_run
from .rules import Person, Request

BECOME = "--become"
MODULE = "jupyter_dlsys.runtime.launcher"


def run(person: Person, request: Request, own: str, log: int, keeper: int) -> None:
    """Go into a scope, and from there on; never returns.

    systemd-run is root's and sees nothing of the job's environment: that waits in a pipe.
    """
    file = os.memfd_create("request")
    about = {
        "person": [person.name, person.uid, person.gid, person.home, person.shell],
        "env": request.env,
        "limits": request.limits,
        "own": own,
        "keeper": keeper,
    }
    os.write(file, json.dumps(about).encode())
    os.lseek(file, 0, os.SEEK_SET)
    for target, source in ((0, file), (1, log), (2, log)):
        os.dup2(source, target)
    words = command(request)
    os.execve(words[0], words, {"PATH": os.defpath})  # noqa: S606


def command(request: Request) -> list[str]:
    """The scope has the attempt's name and the job's limits."""
    limits = dict(request.limits)
    wanted = {"MemoryMax": limits.get("memory"), "TasksMax": limits.get("processes")}
    properties = [f"--property={k}={v}" for k, v in wanted.items() if v is not None]
    return [
        *("/usr/bin/systemd-run", "--scope", "--quiet", "--collect"),
        f"--unit=dlsys-{request.job}-{request.attempt}",
        *properties,
        *("--property=OOMPolicy=continue", "--"),
        *(sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", MODULE, BECOME),
    ]


def go_on() -> None:
    """In the scope, as root: become the person and run the job's program; never returns."""
    with os.fdopen(os.dup(0), "rb") as file:
        about = json.load(file)
    env, limits = (tuple(map(tuple, about[name])) for name in ("env", "limits"))
    request = Request("start", env=env, limits=limits)
    become_and_run(Person(*about["person"]), request, about["own"], 1, about["keeper"])


def group_of(pid: int) -> str | None:
    """Folder of a process's control group, version 2."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            lines = [line.split(":", 2) for line in file.read().splitlines()]
    except OSError:
        return None
    return next((ROOT + path for number, _, path in lines if number == "0"), None)
