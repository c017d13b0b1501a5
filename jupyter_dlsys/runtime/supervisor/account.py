"""Whose rights the job's process has."""

from __future__ import annotations

import os
from typing import NamedTuple

from .processes import PR_SET_NO_NEW_PRIVS, prctl


class Account(NamedTuple):
    """Numbers of an OS account."""

    uid: int
    gid: int
    groups: list[int]


def drop_to(account: Account | None) -> None:
    """Give up all other rights, for good.  None: stay who we are.

    Raises:
        PermissionError: we may not change to this account.
    """
    if account is None:
        return
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if os.getresuid() != (account.uid,) * 3:
        raise PermissionError("the account could not be changed")
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
