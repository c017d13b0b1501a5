"""Who may see which datasets, columns and rows, and who may take data out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .access import Role
from .base import Answer, Request

Visibility = Literal["private", "project", "groups", "organisation"]
"""private: its owner and the project's maintainers; project: its members; groups: these and members
of named groups of the hub; organisation: everybody who can sign in. The last two may only read."""
MaskMethod = Literal["null", "redact", "hash"]
"""null: no value; redact: '•••' (texts only); hash: a keyed hash, equal for equal values."""


class ColumnMask(Request):
    """A column whose values only some roles see."""

    column: str = Field(min_length=1, max_length=200)
    method: MaskMethod = "null"
    roles: list[Role] = Field(["maintainer"], description="Who sees the values themselves.")


class RowFilter(Request):
    """Rows that these roles see; who has no filter of their own role sees all."""

    roles: list[Role] = Field(min_length=1)
    where: str = Field(min_length=1, max_length=2000, description="As in `snapshot --where`.")


class PolicyRequest(Request):
    """The whole policy of a dataset, instead of the one it has."""

    visibility: Visibility = "project"
    groups: list[str] = Field([], max_length=50)
    masks: list[ColumnMask] = Field([], max_length=200)
    filters: list[RowFilter] = Field([], max_length=20)
    export: list[Role] | None = Field(
        None, description="Roles that may export; null: all who may read; []: nobody."
    )


class Policy(PolicyRequest, Answer):
    """The policy of a dataset and what it means for the caller."""

    dataset: str
    owner: str
    set_by: str = ""
    set_at: datetime | None = None
    masked: list[str] = Field([], description="Columns whose values the caller does not see.")
    filtered: bool = Field(False, description="Whether rows are hidden from the caller.")
    may_export: bool = True
    may_change: bool = False
