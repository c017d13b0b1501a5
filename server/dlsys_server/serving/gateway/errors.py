"""Refusals of a request. Light twin of the platform's error tree, which needs more than this
process imports.
"""

from __future__ import annotations


class Refusal(Exception):
    """A request that gets no prediction:

    HTTP status, what happened, and which field is at fault.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.retry_after = retry_after


class RoutesFault(Exception):
    """routes.json cannot be used."""


def bad_input(field: str, detail: str) -> Refusal:
    """400 that names the input at fault."""
    return Refusal(400, f"input {field!r}: {detail}", field=field)
