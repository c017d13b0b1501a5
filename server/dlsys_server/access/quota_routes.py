"""HTTP of quotas: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from jupyter_dlsys.contract.quotas import LimitsRequest, Quota, QuotaKind

from .quotas import QuotaService
from .routing import Caller, RoomRouter, service

router = RoomRouter(prefix="/quotas", tags=["quotas"])
Quotas = Annotated[QuotaService, service("quotas")]
Name = Annotated[
    str,
    Path(min_length=1, max_length=200, description="Or '*': all that have no limits of their own."),
]


@router.get("", operation_id="quotas.list")
def list_quotas(caller: Caller, quotas: Quotas) -> list[Quota]:
    """The caller's limits and use and those of the caller's projects; all for an administrator."""
    return quotas.list(caller)


@router.put("/{kind}/{name}", operation_id="quotas.set")
def set_quota(
    kind: QuotaKind, name: Name, caller: Caller, quotas: Quotas, body: LimitsRequest
) -> Quota:
    """Give a user or a project limits, instead of all that it had."""
    return quotas.set(caller, kind, name, body)


@router.delete("/{kind}/{name}", status_code=204, operation_id="quotas.unset")
def unset_quota(kind: QuotaKind, name: Name, caller: Caller, quotas: Quotas) -> None:
    """Take the limits away again: those of '*' count, or of the platform's settings."""
    quotas.unset(caller, kind, name)
