"""What all contract models share: closed models, names, pages, problems."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"

Name = Annotated[
    str,
    Field(
        pattern=NAME_PATTERN,
        description="Lower-case letters, digits, '.', '_' and '-'; 1 to 63 characters.",
    ),
]
Tags = dict[
    Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$")],
    Annotated[str, Field(max_length=256)],
]

T = TypeVar("T")


class Request(BaseModel):
    """A body that a caller sends: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """A body that the platform sends: clients ignore fields they do not know."""

    model_config = ConfigDict(extra="ignore")


class Page(Answer, Generic[T]):
    """One page of a list, newest first unless the route says otherwise."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Pass as ?cursor= to get the next page.")


class FieldProblem(Answer):
    """One thing wrong with a request: where it is and what was expected."""

    field: str = ""
    message: str
    row: int | None = Field(None, description="1-based row of the uploaded data.")
    column: str | None = None
    expected: str | None = None
    got: str | None = None


class Problem(Answer):
    """RFC 9457 problem details with a stable `code` and a `hint` that says what to do next."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    errors: list[FieldProblem] = []
    request_id: str | None = None


class Event(Answer):
    """One row of the event log; `seq` grows and never repeats."""

    seq: int
    at: datetime
    topic: str = Field(description="What happened, e.g. dataset.committed or job.metric.")
    project: str
    subject: str = Field(description="What it happened to, e.g. dataset/tweets or job/01J…")
    actor: str
    payload: dict[str, Any] = {}
