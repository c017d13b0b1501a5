"""Code that is no Python, and what is not looked at at all."""

from __future__ import annotations

from collections.abc import Iterator

from dlsys_server.training.code import MAX_CODE
from jupyter_dlsys.contract.preflight import Finding

from .subject import Subject, finding


def look(subject: Subject) -> Iterator[Finding]:
    """Syntax errors with their line."""
    for cell in subject.cells:
        if not cell.error:
            continue
        text = f"This is no valid Python: {cell.error}."
        severity = "info" if cell.tolerated else "error"
        yield finding("syntax-error", severity, text, cell, cell.error_line)  # type: ignore[arg-type]
    if not subject.cells:
        yield finding("no-code", "warning", "There is no code to run.")
    if subject.codes.cut:
        text = f"Only the first {MAX_CODE // 1024} KB of the code were looked at."
        yield finding("too-much-code", "info", text)
