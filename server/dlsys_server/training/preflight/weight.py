"""Notebooks that carry large outputs of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_dlsys.contract.preflight import Finding

from .subject import Subject, finding

LARGE = 5 * 2**20


def look(subject: Subject) -> Iterator[Finding]:
    """The outputs are sent and kept with the job, though it makes its own."""
    notebook = subject.codes.notebook
    total = len(subject.body.source.content)
    if notebook is None or total < LARGE:
        return
    sizes = {
        index: _size(cell.get("outputs"))
        for index, cell in enumerate(notebook["cells"])
        if cell.get("outputs")
    }
    if (outputs := sum(sizes.values())) < LARGE:
        return
    worst = max(sizes, key=lambda index: sizes[index])
    text = (
        f"The notebook carries {outputs / 1e6:.0f} MB of old outputs, which the job does not use. "
    )
    yield finding("large-outputs", "info", text + "Clear them before you submit it.", worst)


def _size(value: object) -> int:
    """Characters of all texts in it."""
    total, pending = 0, [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return total
