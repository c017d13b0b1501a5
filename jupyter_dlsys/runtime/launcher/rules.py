"""What may be asked for, and for whom."""

from __future__ import annotations

import grp
import os
import pwd
import re
from dataclasses import dataclass
from typing import Any

JOB = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_ATTEMPTS = 10_000
NO_LOGIN = ("nologin", "false")


class Refused(Exception):
    """Is answered with these words."""


@dataclass(frozen=True)
class Person:
    """An account that a job may have."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class Request:
    """One request, checked."""

    verb: str
    job: str = ""
    attempt: int = 0
    user: str = ""
    env: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Rules:
    """Set on the command line, once.

    Args:
        root: folder of all attempts; the platform's.
        uid, gid: of the platform's account.
        least_uid: accounts below are the system's.
        group: people must be in it; '': anybody.
        state: root's own folder.
        systemd: put each job into a scope of its own.
    """

    root: str
    uid: int
    gid: int
    least_uid: int
    group: str
    state: str
    systemd: bool

    def person(self, name: str) -> Person:
        """The account of this name, if a job may have it.

        Raises:
            Refused: there is none, or it is not a person's.
        """
        try:
            found = pwd.getpwnam(name) if NAME.fullmatch(name) else None
        except (KeyError, ValueError):
            found = None
        if found is None:
            raise Refused(f"There is no account {name[:64]!r} on this machine")
        if found.pw_uid in (0, self.uid) or found.pw_uid < self.least_uid:
            raise Refused(f"{name} is an account of the system; jobs run as people only")
        if os.path.basename(found.pw_shell) in NO_LOGIN:
            raise Refused(f"{name} cannot log in, so no job can run as that account")
        groups = os.getgrouplist(name, found.pw_gid)
        if 0 in groups or self.gid in groups:
            raise Refused(f"{name} is in a group of root or of the platform: no job can run so")
        if self.group and grp.getgrnam(self.group).gr_gid not in groups:
            raise Refused(f"{name} is not in the group {self.group}")
        return Person(name, found.pw_uid, found.pw_gid, found.pw_dir, found.pw_shell)


def read(asked: Any) -> Request:
    """A request as it came.

    Raises:
        Refused: it is none.
    """
    if not isinstance(asked, dict) or asked.get("verb") not in ("hello", "start", "give-back"):
        raise Refused("That is no request")
    if asked["verb"] == "hello":
        return Request("hello")
    job, attempt = asked.get("job"), asked.get("attempt")
    if not isinstance(job, str) or not JOB.fullmatch(job):
        raise Refused("That is no id of a job")
    if type(attempt) is not int or not 0 < attempt <= MOST_ATTEMPTS:
        raise Refused("That is no number of an attempt")
    if asked["verb"] == "give-back":
        return Request("give-back", job, attempt)
    user = asked.get("user")
    if not isinstance(user, str):
        raise Refused("A job needs a user")
    return Request("start", job, attempt, user, _env(asked), _limits(asked))


def _env(asked: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    env = asked.get("env")
    if not isinstance(env, dict) or not all(
        isinstance(k, str) and isinstance(v, str) and VARIABLE.fullmatch(k) and "\0" not in v
        for k, v in env.items()
    ):
        raise Refused("That is no environment")
    return tuple(env.items())


def _limits(asked: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    limits = asked.get("limits")
    if not isinstance(limits, dict) or not all(
        k in ("memory", "processes", "disk") and (v is None or (type(v) is int and v > 0))
        for k, v in limits.items()
    ):
        raise Refused("These are no limits")
    return tuple((k, v) for k, v in limits.items() if v is not None)
