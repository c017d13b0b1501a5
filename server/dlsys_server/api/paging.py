"""Paging of lists: `?limit=&cursor=`; a cursor is the sort key of the last item seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query


@dataclass(frozen=True)
class Paging:
    """How many items, and after which."""

    limit: int = 50
    cursor: str | None = None


def _paging(
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Paging:
    return Paging(limit, cursor)


PagingQuery = Annotated[Paging, Depends(_paging)]
