"""Parameters: whether there is a cell for them, and whether those given fit it."""

from __future__ import annotations

import ast
import difflib
import keyword
from collections.abc import Iterator
from typing import Any

from dlsys_server.training.code import Code
from jupyter_dlsys.contract.preflight import Finding, Fix

from .subject import Subject, finding

NUMBERS = {"int": (int,), "float": (int, float)}
KINDS: dict[str, tuple[type, ...]] = {
    **NUMBERS,
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}


def look(subject: Subject) -> Iterator[Finding]:
    """Of notebooks in Python; a script takes whatever it is given."""
    if not (subject.is_notebook and subject.is_python):
        return
    given = subject.body.parameters
    tagged = [cell for cell in subject.cells if "parameters" in cell.tags]
    if not tagged:
        yield _no_cell(subject, bool(given))
    elif len(tagged) > 1:
        text = "More than one cell is tagged 'parameters'; only the first counts."
        yield finding("several-parameters-cells", "warning", text, tagged[1])
    known = {parameter.name: parameter for parameter in subject.info.parameters}
    for name, value in given.items():
        if not name.isidentifier() or keyword.iskeyword(name):
            text = f"'{name[:60]}' is not a name that Python knows, so it cannot be a parameter."
            yield finding("bad-parameter-name", "error", text)
        elif name in known:
            default = known[name]
            if not _fits(value, default.type, default.default):
                text = (
                    f"'{name}' is {_article(default.type)} in the notebook ({default.default!r}); "
                )
                text += f"{_shown(value)} is {_article(_kind(value))}."
                yield finding("parameter-type", "warning", text, tagged[0])
        elif tagged:
            yield _unknown(name, list(known), tagged[0])


def _no_cell(subject: Subject, given: bool) -> Finding:
    guess = next((cell for cell in subject.cells if _only_settings(cell)), None)
    text = "No cell is tagged 'parameters', so the notebook runs with the values it has."
    if given:
        text = (
            "No cell is tagged 'parameters': the values given are set at the top, "
            "and the notebook's own assignments replace them."
        )
    fix = None
    if guess is not None:
        fix = Fix(label=f"Tag cell {guess.index + 1} as parameters", action="tag-parameters")
    return finding("no-parameters-cell", "warning" if given else "info", text, guess, None, fix)


def _only_settings(cell: Code) -> bool:
    """Whether a cell does nothing but give names plain values."""
    body = cell.tree.body if cell.tree else []
    return bool(body) and all(
        isinstance(node, (ast.Assign, ast.AnnAssign))
        and node.value is not None
        and all(isinstance(n, (ast.Constant, *_PLAIN)) for n in ast.walk(node.value))
        for node in body
    )


_PLAIN = (ast.List, ast.Tuple, ast.Dict, ast.UnaryOp, ast.USub, ast.Load)


def _unknown(name: str, known: list[str], cell: Code) -> Finding:
    near = difflib.get_close_matches(name, known, 1)
    text = f"The notebook has no parameter '{name}'."
    if not near:
        text += f" It has {', '.join(known[:10])}." if known else ""
        return finding("unknown-parameter", "warning", text, cell)
    fix = Fix(
        label=f"Use '{near[0]}'",
        action="rename-parameter",
        target=name,
        value=near[0],
    )
    return finding(
        "unknown-parameter", "warning", f"{text} Did you mean '{near[0]}'?", cell, None, fix
    )


def _fits(value: Any, kind: str, default: Any) -> bool:
    allowed = KINDS.get(kind)
    if allowed is None or value is None:
        return True
    if isinstance(default, str) and kind != "str":
        return True  # computed, not a plain value: the annotation or text says little
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, allowed) or (
        kind == "int" and isinstance(value, float) and value.is_integer()
    )


def _kind(value: Any) -> str:
    return type(value).__name__


def _article(kind: str) -> str:
    words = {
        "int": "a whole number",
        "float": "a number",
        "str": "text",
        "bool": "true or false",
        "list": "a list",
        "dict": "a dict",
    }
    return words.get(kind, kind)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
