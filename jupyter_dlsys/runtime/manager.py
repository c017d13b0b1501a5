"""What is kept of a notebook while it runs: cell states, saves, the failure."""

from __future__ import annotations

import sys
import time
from typing import Any

import nbformat
from papermill.engines import NotebookExecutionManager

from .events import Spool
from .job import Job, JobError


def runs(cell: Any) -> bool:
    return bool(cell.cell_type == "code" and cell.source.strip())


def tolerated(cell: Any, ename: str, evalue: str) -> bool:
    """An error that does not fail the job."""
    if ename == "SystemExit":
        return evalue in ("", "0", "None")
    return "raises-exception" in cell.metadata.get("tags", [])


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Cell boundaries become events; saves are atomic, and spaced by the autosave interval."""

    def __init__(self, nb: Any, job: Job, spool: Spool) -> None:
        super().__init__(nb, progress_bar=False, autosave_cell_every=job.autosave_seconds)
        self.job = job
        self.spool = spool
        self.total = sum(map(runs, nb.cells))
        self.done = 0
        self.began = 0.0
        self.next_save = 0.0
        self.failure: JobError | None = None

    def save(self, **_: Any) -> None:
        if time.monotonic() >= self.next_save:
            self.write()

    def autosave_cell(self, **_: Any) -> None:
        self.save()

    def write(self) -> None:
        began = time.monotonic()
        target = self.job.folder / "notebook.ipynb"
        temporary = target.with_suffix(".ipynb.tmp")
        with open(temporary, "w", encoding="utf-8", errors="replace") as file:
            file.write(nbformat.writes(self.nb))  # type: ignore[no-untyped-call]
        temporary.replace(target)
        now = time.monotonic()
        self.next_save = now + max(self.job.autosave_seconds, 4 * (now - began))

    def notebook_start(self, **kwargs: Any) -> None:
        self.nb.metadata.papermill["input_path"] = self.job.source
        super().notebook_start(**kwargs)

    def notebook_complete(self, **kwargs: Any) -> None:
        self.spool.phase("saving")
        self.next_save = 0.0
        super().notebook_complete(**kwargs)

    def cell_start(self, cell: Any, cell_index: int, **kwargs: Any) -> None:
        if runs(cell):
            self.began = time.monotonic()
            self.spool.cell_start(cell_index, cell.source)
        super().cell_start(cell, cell_index, **kwargs)

    def cell_exception(self, cell: Any, cell_index: int, **kwargs: Any) -> None:
        super().cell_exception(cell, cell_index=cell_index, **kwargs)
        error = kwargs.get("exception")
        ename = str(getattr(error, "ename", type(error).__name__))
        evalue = str(getattr(error, "evalue", error))
        if not tolerated(cell, ename, evalue):
            self.failure = JobError(
                f"{ename}: {evalue} (cell {cell_index + 1})",
                ename=ename,
                evalue=evalue,
                cell=cell_index,
            )

    def cell_complete(self, cell: Any, cell_index: int, **kwargs: Any) -> None:
        broken = sys.exc_info()[0] is not None  # called in a `finally`: the kernel died, or Stopped
        if broken:
            cell.metadata.papermill["status"] = self.FAILED
        if runs(cell):
            ok = self.failure is None and not broken
            self.spool.cell_end(cell_index, ok, time.monotonic() - self.began)
            self.done += ok
            self.spool.progress(self.done, self.total)
        super().cell_complete(cell, cell_index=cell_index, **kwargs)
