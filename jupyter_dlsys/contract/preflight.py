"""Preflight: what would go wrong with a submission, said before it starts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Answer
from .jobs import Forecast

Severity = Literal["error", "warning", "info"]
FixAction = Literal[
    "replace-line",
    "tag-parameters",
    "move-cell",
    "bind-input",
    "rename-parameter",
    "set-resource",
    "install-package",
    "add-file",
]


class Place(Answer):
    """Where in the source; both numbers count from 0. A script is one cell."""

    cell: int
    line: int | None = None


class Fix(Answer):
    """What mends a finding with one click or one line.

    `replace-line` puts `value` in place of the line; `tag-parameters` tags cell `place.cell`;
    `move-cell` moves it to index `value`; `bind-input` binds input `target` to dataset `value`;
    `rename-parameter` renames `target` to `value`; `set-resource` sets the field `target` of the
    resources to `value`; `install-package` and `add-file` are for the person to do.
    """

    label: str = Field(description="Words for a button, e.g. 'Use DLSYS_OUTPUT_DIR'.")
    action: FixAction
    target: str = ""
    value: str = ""
    command: str = Field("", description="The same as a shell or %pip command, where one exists.")


class Finding(Answer):
    """One thing that will or may go wrong. An `error` will; a `warning` may; `info` is advice."""

    code: str = Field(description="Stable, e.g. undefined-name, missing-package, likely-secret.")
    severity: Severity
    message: str
    place: Place | None = None
    fix: Fix | None = None


class PreflightReport(Answer):
    """All findings, errors first. `ok` is false when one is an error."""

    ok: bool
    findings: list[Finding] = []
    forecast: Forecast | None = None
    seconds: float = Field(description="How long the look took.")
