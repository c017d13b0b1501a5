"""What a cell does to the environment that the job is started in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dlsys_server.training.code import Code
from dlsys_server.training.tree import dotted, text_argument
from jupyter_dlsys.contract.preflight import Finding

from .packages import INSTALL
from .subject import Subject, finding

READ_AT_IMPORT = re.compile(
    r"^(OMP_|MKL_|OPENBLAS_|CUDA_|CUBLAS_|NCCL_|TORCH|PYTORCH_|TF_|XLA_|JAX_|KMP_|NUMEXPR_)"
)


def look(subject: Subject) -> Iterator[Finding]:
    """Packages that it installs, and variables that libraries read when they are imported."""
    for cell in subject.cells:
        if any(INSTALL.search(line) for line in cell.shell):
            text = "It installs packages each time it runs, into the environment that all jobs "
            text += "share. Install them once, before."
            yield finding("installs-packages", "info", text, cell)
    for cell in subject.cells:
        if found := next(_variables(cell), None):
            name, node = found
            text = f"{name} is read when libraries are imported, so this job starts in a fresh "
            text += f"process, which takes longer. Give it at submission: -e {name}=VALUE"
            yield finding("starts-cold", "info", text, cell, cell.line_of(node))
            return


def _variables(cell: Code) -> Iterator[tuple[str, ast.AST]]:
    for node in cell.tree_index.all(ast.Subscript):
        key = node.slice
        is_set = isinstance(node.ctx, ast.Store) and dotted(node.value) == "os.environ"
        if is_set and isinstance(key, ast.Constant) and READ_AT_IMPORT.match(str(key.value)):
            yield str(key.value)[:60], node
    for call in cell.tree_index.all(ast.Call):
        given = text_argument(call)
        name = str(given.value) if given else ""
        if dotted(call.func) == "os.environ.setdefault" and READ_AT_IMPORT.match(name):
            yield name[:60], call
