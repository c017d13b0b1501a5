"""Reading a submitted notebook: refused with the cell and the reason when it cannot run."""

from __future__ import annotations

import json
from typing import Any

from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.jobs import SourceFile

SAVE_AGAIN = "Open it in JupyterLab and save it again."


def read_notebook(source: SourceFile) -> dict[str, Any]:
    """The notebook as a dict; `text_of` and `tags_of` are safe on each of its cells.

    Raises:
        InvalidInput: not a notebook of format 4, or a part of it has the wrong type.
    """
    notebook = _json(source)
    if not isinstance(notebook, dict):
        raise _wrong(source, "has no cells")
    if notebook.get("nbformat") != 4:
        found = str(notebook.get("nbformat"))[:20]
        raise InvalidInput(
            f"{source.path} has notebook format {found}; 4 is needed.",
            hint=SAVE_AGAIN.replace(".", ", which converts it."),
        )
    if not isinstance(notebook.get("cells"), list):
        raise _wrong(source, "has no cells")
    _check_metadata(source, notebook.setdefault("metadata", {}))
    for number, cell in enumerate(notebook["cells"], 1):
        if problem := _problem(cell):
            raise _wrong(source, f"cannot be read: cell {number} {problem}")
    return notebook


def text_of(cell: dict[str, Any]) -> str:
    """The source of a cell."""
    source = cell["source"]
    return "".join(source) if isinstance(source, list) else str(source)


def tags_of(cell: dict[str, Any]) -> list[str]:
    """The tags of a cell."""
    tags: list[str] = (cell.get("metadata") or {}).get("tags") or []
    return tags


def _json(source: SourceFile) -> Any:
    try:
        return json.loads(source.content, parse_constant=_refuse_constant)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error)
    raise InvalidInput(f"{source.path} is not a notebook: {reason}.", hint=SAVE_AGAIN) from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _wrong(source: SourceFile, what: str) -> InvalidInput:
    return InvalidInput(f"{source.path} {what}.", hint=SAVE_AGAIN)


def _check_metadata(source: SourceFile, metadata: Any) -> None:
    if not isinstance(metadata, dict):
        raise _wrong(source, "cannot be read: its metadata is no object")
    for field, names in (("kernelspec", ("name", "language")), ("language_info", ("name",))):
        part = metadata.get(field) or {}
        if not isinstance(part, dict):
            raise _wrong(source, f"cannot be read: its {field} is no object")
        for name in names:
            if not (part.get(name) is None or is_text(part[name])):
                raise _wrong(source, f"cannot be read: the {name} in its {field} is no text")


def _problem(cell: Any) -> str:
    """What is wrong with a cell; '' when nothing."""
    if not isinstance(cell, dict):
        return "is no object"
    if cell.get("cell_type") not in ("code", "markdown", "raw"):
        return f"has the type {str(cell.get('cell_type'))[:20]!r}, not code, markdown or raw"
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        return "has a source that is no text"
    if not all(is_text(line) for line in lines):
        return "has characters that are not Unicode (half of a pair)"
    metadata = cell.get("metadata")
    if not isinstance(metadata, dict):
        return "has no metadata"
    tags = metadata.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        return "has tags that are no list of texts"
    outputs = cell.get("outputs", [])
    if not (isinstance(outputs, list) and all(isinstance(o, dict) for o in outputs)):
        return "has outputs that are no list of objects"
    return ""


def is_text(value: Any) -> bool:
    """Text that can be written as UTF-8."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
