"""Between the platform and the agent in a person's own Jupyter server, which runs that person's
jobs there. The agent asks; the platform never calls it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .base import Answer, Request

AgentId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
POLL_SECONDS = 20.0
"""How long the platform keeps a question open that it has nothing to answer to."""
PIECE_BYTES = 2**21
GROWING = ("log", "events.jsonl")
"""Files that are sent while they grow; of all others the whole file."""


class Try(Request):
    """An attempt of a job."""

    job: str = Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")
    attempt: int = Field(ge=1, le=10_000)
    cancelling: bool = Field(False, description="The agent has heard that it is to end.")


class PollRequest(Request):
    """What the agent runs. It counts as its heartbeat, too."""

    name: str = Field("", max_length=200, description="Of the machine, for people.")
    running: list[Try] = Field([], max_length=1000)
    leaving: bool = Field(False, description="It ends now, and so did all that it ran.")
    wait_seconds: float = Field(POLL_SECONDS, ge=0, le=60)


class PollAnswer(Answer):
    """What the agent is to do."""

    take: list[Try] = Field([], description="To be taken and started.")
    cancel: list[Try] = Field([], description="To be ended, with a verdict.")
    patience: dict[str, float] = Field(
        {},
        description="Those of `cancel` that are to be ended softly, by job: seconds from an "
        "interrupt to the end by force, in which it may save a checkpoint.",
    )
    drop: list[Try] = Field([], description="Nobody waits for them: end and forget them.")


class BundleFile(Answer):
    """A file of the bundle, to be read one by one."""

    path: str
    bytes: int


class Bundle(Answer):
    """All that an attempt needs, for whoever took it."""

    job: str
    attempt: int
    description: dict[str, Any] = Field(description="job.json: what the runner does.")
    env: dict[str, str]
    timeout: float | None = None
    grace: float
    cancel_grace: float
    limits: dict[str, int | None] = {}
    files: list[BundleFile] = []


class Received(Answer):
    """How much of a file the platform has."""

    size: int


class VerdictRequest(Request):
    """How the attempt ended, as its supervisor says."""

    exit_code: int = Field(ge=-(2**31), lt=2**31)
    reason: (
        Literal[
            "user-error", "crashed", "killed", "out-of-memory", "timeout", "launch-failed",
            "cancelled", "lost", "too-many-processes", "disk-full",
        ]
        | None
    ) = None  # fmt: skip
    message: str = Field("", max_length=10_000)
    finished_at: float
