"""The code of a submission, cell by cell, as the interpreter will see it.

Lines that only IPython understands (`%magic`, `!command`, `name?`) become plain Python of the same
number of lines: what `%time` runs stays, what a shell runs becomes `pass`.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jupyter_dlsys.contract.jobs import SourceFile

from .notebook import read_notebook, tags_of, text_of
from .tree import Index, Scope

MAX_CODE = 512 * 1024
"""Characters that are looked at; a notebook of 200 full cells has a third of it."""
ASSIGNED = re.compile(r"^(\s*)([A-Za-z_][\w\s,.]*?)=\s*([!%])")
HELP = re.compile(r"^\s*[\w.]+\?\??\s*$|^\s*\?")
RUNS_BODY = ("time", "capture", "prun", "memit", "snakeviz")
DEFINES = frozenset({"run", "pylab", "store", "load", "loadpy", "macro", "recall", "rerun", "sql"})
"""Magics that may define any name."""
HARMLESS = frozenset(
    {"bash", "sh", "script", "html", "javascript", "js", "latex", "markdown", "svg", "writefile"}
    | {"timeit", "file", "perl", "ruby", "system", "sx", "dlsys", "HTML", "SVG"}
)
TOP_LEVEL_AWAIT = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass
class Code:
    """A code cell, or a whole script.

    `index` counts all cells of the notebook, also text. `source` is the code without magics.
    Line numbers in `tree` count on from cell to cell, from `offset` on, so that trees can be
    laid one after the other; `line_of` gives those of the cell.
    """

    index: int
    text: str
    source: str
    tags: list[str] = field(default_factory=list)
    offset: int = 0
    wild: bool = False
    shell: list[str] = field(default_factory=list)
    magics: list[tuple[str, int]] = field(default_factory=list)
    tree: ast.Module | None = None
    error: str = ""
    error_line: int | None = None

    @property
    def tolerated(self) -> bool:
        """An error in it does not fail the job."""
        return "raises-exception" in self.tags

    def line_of(self, node: ast.AST) -> int:
        """The line of a node in the cell, from 0."""
        return int(getattr(node, "lineno", 1)) - 1 - self.offset

    @cached_property
    def tree_index(self) -> Index:
        """Its nodes by kind; of one walk."""
        return Index(self.tree)

    @property
    def calls(self) -> list[tuple[ast.Call, Scope]]:
        """All calls."""
        return self.tree_index.of(ast.Call)


@dataclass
class Codes:
    """All code of a source; `cut` says that some of it was too much to be looked at."""

    cells: list[Code]
    language: str = "python"
    kernel: str | None = None
    notebook: dict[str, Any] | None = None
    cut: bool = False


def codes_of(source: SourceFile) -> Codes:
    """The code of a notebook or script; nothing is run.

    Raises:
        InvalidInput: not a notebook.
    """
    if not source.path.endswith(".ipynb"):
        found = Codes([Code(0, source.content, source.content)])
    else:
        notebook = read_notebook(source)
        found = Codes(
            [
                Code(index, text, text, tags_of(cell))
                for index, cell in enumerate(notebook["cells"])
                if cell["cell_type"] == "code" and (text := text_of(cell)).strip()
            ],
            language_of(notebook),
            (notebook["metadata"].get("kernelspec") or {}).get("name"),
            notebook,
        )
    if found.language == "python":
        _parse_all(found)
    return found


def language_of(notebook: dict[str, Any]) -> str:
    """The language that the notebook says it is in, in small letters."""
    metadata = notebook["metadata"]
    told = (metadata.get("language_info") or {}).get("name")
    told = told or (metadata.get("kernelspec") or {}).get("language")
    return (told or "python").lower()


def _parse_all(found: Codes) -> None:
    left, offset = MAX_CODE, 0
    for cell in found.cells:
        left -= len(cell.text)
        cell.offset = offset
        offset += cell.text.count("\n") + 1
        if left < 0:
            found.cut = True
            return
        if found.notebook is not None and not _try(cell, cell.text):
            _clean(cell)
        if cell.tree is None:
            _parse(cell)


def _try(cell: Code, source: str) -> bool:
    """Python that is valid holds no magics; `%` at the start of its lines is a modulo or a text."""
    if source.lstrip().startswith("%%"):
        return False
    try:
        cell.tree = parse(source, cell.offset)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def parse(source: str, offset: int = 0) -> ast.Module:
    """The tree as if `offset` lines came before, with `await` allowed outside of functions.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python, or nested too deeply.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = compile(
            "\n" * offset + source, "<source>", "exec", TOP_LEVEL_AWAIT, dont_inherit=True
        )
    assert isinstance(tree, ast.Module)
    return tree


def _parse(cell: Code) -> None:
    try:
        cell.tree = parse(cell.source, cell.offset)
    except SyntaxError as error:
        cell.error = error.msg or "invalid syntax"
        cell.error_line = max(0, (error.lineno or 1) - 1 - cell.offset)
    except ValueError:
        cell.error = "it holds a NUL character"
    except (RecursionError, MemoryError):
        cell.error = "it is nested too deeply"


def _clean(cell: Code) -> None:
    """Put Python in the place of magics; notes what they were."""
    lines = cell.text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].lstrip().startswith("%%"):
        lines = _cell_magic(cell, lines, first)
    cleaned: list[str] = []
    continued = False
    for number, line in enumerate(lines):
        if continued:
            cleaned.append("")
            continued = line.endswith("\\")
            continue
        new = _line(cell, line, number)
        continued = new != line and line.endswith("\\")
        cleaned.append(new)
    cell.source = "\n".join(cleaned)


def _cell_magic(cell: Code, lines: list[str], first: int) -> list[str]:
    word, _, rest = lines[first].lstrip()[2:].strip().partition(" ")
    cell.magics.append((word, first))
    if word in RUNS_BODY:
        named = re.match(r"[A-Za-z_]\w*", rest.strip()) if word == "capture" else None
        return [*lines[:first], f"{named[0]} = None" if named else "", *lines[first + 1 :]]
    if word in ("bash", "sh", "script", "system", "sx", "!"):
        cell.shell += lines[first + 1 :]
    cell.wild |= word not in HARMLESS
    return [""] * len(lines)


def _line(cell: Code, line: str, number: int) -> str:
    stripped = line.lstrip()
    indent = line[: len(line) - len(stripped)]
    if stripped.startswith("%"):
        word, _, rest = stripped[1:].partition(" ")
        cell.magics.append((word, number))
        cell.wild |= word in DEFINES
        if word == "pip":
            cell.shell.append(stripped[1:])
        return indent + (rest.strip() or "pass" if word == "time" else "pass")
    if stripped.startswith("!"):
        cell.shell.append(stripped[1:])
        return indent + "pass"
    if HELP.match(line):
        return indent + "pass"
    if found := ASSIGNED.match(line):
        if found[3] == "!":
            cell.shell.append(line[found.end() :])
        return f"{found[1]}{found[2]}= None"
    return line
