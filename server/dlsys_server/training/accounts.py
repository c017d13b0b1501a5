"""Whose rights a job runs with: the account of who submitted it, never the platform's when that
is root."""

from __future__ import annotations

import getpass
import importlib.util
import os
import pwd
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from dlsys_server.core.errors import Refused


@dataclass(frozen=True)
class Account:
    """An OS account."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @classmethod
    def named(cls, name: str) -> Account | None:
        """The account of this name on this machine, unless it is root's."""
        try:
            found = pwd.getpwnam(name)
        except (KeyError, ValueError):
            return None
        if found.pw_uid == 0:
            return None
        groups = tuple(os.getgrouplist(name, found.pw_gid))
        return cls(name, found.pw_uid, found.pw_gid, groups, found.pw_dir)

    def environment(self) -> dict[str, str]:
        """What programs of this account expect."""
        home = self.home if os.path.isdir(self.home) else "/nonexistent"
        return {"HOME": home, "USER": self.name, "LOGNAME": self.name}

    def give(self, folder: Path) -> None:
        """Make a folder, and all in it, this account's own."""
        os.chown(folder, self.uid, self.gid)
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(os.path.join(root, name), self.uid, self.gid, follow_symlinks=False)


class Accounts:
    """Finds the account for an owner. Only root may run a job as somebody else.

    Args:
        fallback: account for owners without one of their own.
        many: owners are users of a hub, not the person who runs the platform.
    """

    def __init__(self, fallback: str, many: bool = False) -> None:
        self.fallback, self.many = fallback, many
        self.root = os.geteuid() == 0

    def of(self, owner: str) -> Account | None:
        """None: the platform's own account.

        Raises:
            Refused: the owner has no account here, or the platform may not use it.
        """
        if not self.root:
            self._check_shared(owner)
            return None
        if owner == getpass.getuser() and not self.fallback and not self.many:
            return None  # root on its own machine asked for it itself
        found = Account.named(owner) or Account.named(self.fallback)
        if found is None:
            raise Refused(
                f"{owner} has no account on this machine, and jobs never run as root.",
                code="no-account",
                hint="Add the account, or name one for all jobs in DLSYS_JOB_ACCOUNT.",
            )
        return found

    def _check_shared(self, owner: str) -> None:
        if self.many and self.fallback != getpass.getuser():
            raise Refused(
                f"The platform cannot start jobs as {owner}: it does not run as root.",
                code="no-account",
                hint="An administrator can start it as root, or set DLSYS_JOB_ACCOUNT to its own "
                "account where all users may share it.",
            )

    def words(self) -> str:
        """For people: which account jobs run as."""
        if not self.root:
            return f"the platform's own ({getpass.getuser()})"
        other = f", else {self.fallback}" if self.fallback else ""
        return f"the submitter's own account{other}"


def bwrap() -> str | None:
    """Path of bubblewrap, where it is installed."""
    return shutil.which("bwrap")


def sandboxed(command: list[str], home: Path, own: Path) -> list[str]:
    """The command in a bubblewrap sandbox: everything read-only but its own folder and a private
    /tmp, nothing of the data folder, own process and IPC namespaces. The network stays: the job
    talks to the platform."""
    return [
        bwrap() or "bwrap",
        *("--ro-bind", "/", "/"),
        *("--dev-bind", "/dev", "/dev"),
        *("--proc", "/proc"),
        *("--tmpfs", "/tmp"),  # noqa: S108
        *("--tmpfs", str(home)),
        *(word for path in _programs() for word in ("--ro-bind", path, path)),
        *("--bind", str(own), str(own)),
        *("--unshare-pid", "--unshare-ipc", "--die-with-parent", "--"),
        *command,
    ]


def _programs() -> list[str]:
    """Where Python and this package lie, which may be below a folder that is hidden."""
    spec = importlib.util.find_spec("jupyter_dlsys")
    package = Path(spec.origin).parent if spec and spec.origin else Path(sys.prefix)
    return sorted({sys.prefix, sys.base_prefix, str(package)})
