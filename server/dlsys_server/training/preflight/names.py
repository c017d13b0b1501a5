"""Names that are used before they are defined when the cells run from top to bottom.

pyflakes does the reading of scopes; here the cells are laid one after the other for it, with what
IPython and the submission's parameters define, and what it says is brought back to the cells.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pyflakes import messages
from pyflakes.checker import Checker

from dlsys_server.training.code import Code
from dlsys_server.training.tree import Scope
from jupyter_dlsys.contract.preflight import Finding, Fix, Severity

from .calls import called_too_early
from .subject import Subject, finding

IPYTHON = frozenset(
    {"get_ipython", "display", "In", "Out", "exit", "quit", "open"}
    | {"_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh", "_exit_code"}
)
HISTORY = re.compile(r"_i?\d+")
ALIASES = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "pl": "import polars as pl",
    "plt": "import matplotlib.pyplot as plt",
    "sns": "import seaborn as sns",
    "tf": "import tensorflow as tf",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "dlsys": "import jupyter_dlsys as dlsys",
    "tqdm": "from tqdm.auto import tqdm",
    "Path": "from pathlib import Path",
}
MOST = 60
"""Names that are told of."""
MODULES = frozenset({"torch", "mlflow", "os", "sys", "re", "json", "math", "time", "random"})


@dataclass(frozen=True)
class Use:
    """Of a name that pyflakes does not know: the first one."""

    name: str
    cell: Code
    line: int
    scope: Scope
    starred: bool = False


def look(subject: Subject) -> Iterator[Finding]:
    """Undefined names, each once, and functions that are called before what they use is there."""
    if not subject.is_python:
        return
    cells = [c for c in subject.cells if c.tree is not None]
    defined = {cell.index: cell.tree_index.bound for cell in cells}
    uses = list(islice(_uses(subject, cells), MOST))
    wild = any(cell.wild for cell in cells) or _runs_text(cells)
    for use in uses:
        later = next(
            (c for c in cells if c.index > use.cell.index and use.name in defined[c.index]), None
        )
        if not (use.starred and later is None):
            yield _told(use, later, wild, cells, defined)
    stars = [use for use in uses if use.starred]
    if stars:
        yield _from_stars(stars)
    if subject.is_notebook:
        yield from _file_name(cells)
        yield from called_too_early(cells, defined, frozenset(subject.body.parameters))


def _uses(subject: Subject, cells: list[Code]) -> Iterator[Use]:
    whole = _joined(subject, cells)
    offsets = [cell.offset for cell in cells]
    checker = Checker(whole, builtins=_known(subject))
    seen: set[str] = set()
    for message in sorted(checker.messages, key=lambda m: int(m.lineno)):
        starred = isinstance(message, messages.ImportStarUsage)
        if not starred and not isinstance(
            message, (messages.UndefinedName, messages.UndefinedLocal)
        ):
            continue
        name = str(message.message_args[0])
        if name in seen or HISTORY.fullmatch(name):
            continue
        seen.add(name)
        cell = cells[bisect_left(offsets, message.lineno) - 1]
        if isinstance(message, messages.UndefinedLocal):
            scope: Scope = "called"
        else:
            scope = _scope(cell, int(message.lineno), name)
        yield Use(name, cell, message.lineno - 1 - cell.offset, scope, starred)


def _scope(cell: Code, line: int, name: str) -> Scope:
    found = [(n, s) for n, s in cell.tree_index.of(ast.Name) if n.id == name and n.lineno == line]
    notes = _annotations(cell) if found else set()
    return next((scope for node, scope in found if id(node) not in notes), "maybe")


def _annotations(cell: Code) -> set[int]:
    """Ids of the nodes of annotations: `from __future__ import annotations` leaves them unread."""
    index = cell.tree_index
    notes = [node.annotation for node in index.all(ast.AnnAssign)]
    notes += [node.annotation for node in index.all(ast.arg) if node.annotation]
    notes += [node.returns for node in index.all(ast.FunctionDef) if node.returns]
    return {id(inner) for note in notes for inner in ast.walk(note)}


def _joined(subject: Subject, cells: list[Code]) -> ast.Module:
    """The cells as one module, with the submission's parameters where papermill puts them."""
    given: list[ast.stmt] = [
        ast.Assign([ast.Name(name, ast.Store(), lineno=0, col_offset=0)], ast.Constant(None))
        for name in subject.body.parameters
        if name.isidentifier() and subject.is_notebook
    ]
    for node in given:
        ast.fix_missing_locations(node)
    tagged = next((c.index for c in cells if "parameters" in c.tags), None)
    body = given if tagged is None else []
    for cell in cells:
        body += cell.tree.body if cell.tree else []
        body += given if cell.index == tagged else []
    return ast.Module(body, [])


def _known(subject: Subject) -> set[str]:
    broken = [c.text for c in subject.cells if c.tree is None]
    mentioned = {n for text in broken for n in re.findall(r"[^\W\d]\w*", text)}
    return mentioned | (set(IPYTHON) if subject.is_notebook else set())


def _runs_text(cells: list[Code]) -> bool:
    """Whether names may come from text that is run, which no reader can see."""
    return any(
        isinstance(call.func, ast.Name) and call.func.id in ("exec", "globals", "locals")
        for cell in cells
        for call in cell.tree_index.all(ast.Call)
    ) or any("run_line_magic" in cell.text for cell in cells)


def _told(
    use: Use, later: Code | None, wild: bool, cells: list[Code], defined: dict[int, set[str]]
) -> Finding:
    severity: Severity = "error" if use.scope == "always" and not use.starred else "warning"
    if use.cell.tolerated:
        severity = "info"
    elif wild and later is None:
        severity = "warning"
    when = " when it is called" if use.scope == "called" else ""
    message = f"'{use.name}' is used{when} but is not defined"
    if later is not None:
        message = f"'{use.name}' is used here but defined later, in cell {later.index + 1}"
        fix = _moving(use.cell, later, cells, defined)
        text = message + ("." if fix else ". Run all from a fresh kernel to see it.")
        return finding("undefined-name", severity, text, use.cell, use.line, fix)
    if wild:
        message += " in what can be seen; a magic or exec() may define it"
    known = set().union(*defined.values()) | set(dir(builtins))
    return finding(
        "undefined-name", severity, f"{message}.{_guess(use.name, known)}", use.cell, use.line
    )


def _guess(name: str, known: set[str]) -> str:
    if name in ALIASES or name in MODULES:
        return f" Is `{ALIASES.get(name, f'import {name}')}` missing?"
    near = difflib.get_close_matches(name, known - {name}, 1, 0.75)
    return f" Did you mean '{near[0]}'?" if near else ""


def _moving(cell: Code, later: Code, cells: list[Code], defined: dict[int, set[str]]) -> Fix | None:
    """Move the cell behind the one that defines the name, unless one between needs it."""
    between = [c for c in cells if cell.index < c.index <= later.index]
    if any(c.tree_index.loaded & defined[cell.index] for c in between):
        return None
    return Fix(
        label=f"Move cell {cell.index + 1} behind cell {later.index + 1}",
        action="move-cell",
        value=str(later.index),
    )


def _from_stars(stars: list[Use]) -> Finding:
    names = ", ".join(f"'{use.name}'" for use in stars[:5]) + (" …" if len(stars) > 5 else "")
    return finding(
        "star-import",
        "warning",
        f"Whether {names} will be there cannot be said: a `from … import *` may define them. "
        "Import by name what you use.",
        stars[0].cell,
        stars[0].line,
    )


def _file_name(cells: list[Code]) -> Iterator[Finding]:
    for cell in cells:
        for node in cell.tree_index.all(ast.Name):
            if node.id == "__file__":
                yield finding(
                    "undefined-name",
                    "info" if cell.tolerated else "error",
                    "'__file__' is not defined in a notebook. Use Path.cwd() for its folder.",
                    cell,
                    cell.line_of(node),
                )
                return
