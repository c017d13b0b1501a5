"""What the looks look at: a submission, its code, and what the platform has to run it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from dlsys_server.core.errors import DlsysError
from dlsys_server.training.code import Code, Codes
from dlsys_server.training.installed import Installed, Kernel
from dlsys_server.training.slots import Capacity
from dlsys_server.training.tree import dotted
from jupyter_dlsys.contract.jobs import InputRequest, NotebookInfo, SubmitRequest
from jupyter_dlsys.contract.preflight import Finding, Fix, Place, Severity


@dataclass
class Subject:
    """One submission. `examine(name, input)` raises what creating its snapshot would raise."""

    body: SubmitRequest
    codes: Codes
    info: NotebookInfo
    capacity: Capacity
    installed: Installed
    examine: Callable[[str, InputRequest], None]
    dataset_names: Callable[[], list[str]]
    job_states: Callable[[list[str]], dict[str, str]]
    refusal: DlsysError | None = None

    @property
    def cells(self) -> list[Code]:
        """Its code."""
        return self.codes.cells

    @property
    def is_python(self) -> bool:
        """Whether its code is Python."""
        return self.codes.language in ("python", "ipython")

    @property
    def is_notebook(self) -> bool:
        """Not a script."""
        return self.codes.notebook is not None

    @cached_property
    def kernel(self) -> Kernel | None:
        """What will run it; None when that is not installed."""
        name = self.codes.kernel if self.is_notebook else None
        found = self.installed.kernels.get(name or "python3")
        if found is None and self.is_python:
            return self.installed.kernels.get("python3")
        return found

    @property
    def runs_here(self) -> bool:
        """Whether it runs in the platform's own Python environment."""
        return self.is_python and (
            not self.is_notebook or (self.kernel is not None and self.kernel.own)
        )

    @cached_property
    def shell(self) -> list[str]:
        """Lines that it gives to a shell."""
        return [line for cell in self.cells for line in cell.shell]

    @cached_property
    def calls(self) -> list[tuple[Code, ast.Call, str]]:
        """All calls, with the dotted name of what is called."""
        return [
            (cell, call, dotted(call.func))
            for cell in self.cells
            for call in cell.tree_index.all(ast.Call)
        ]


def finding(
    code: str,
    severity: Severity,
    message: str,
    cell: Code | int | None = None,
    line: int | None = None,
    fix: Fix | None = None,
) -> Finding:
    """A finding in a cell; `line` counts from 0."""
    index = cell.index if isinstance(cell, Code) else cell
    place = None if index is None else Place(cell=index, line=line)
    return Finding(code=code, severity=severity, message=message, place=place, fix=fix)
