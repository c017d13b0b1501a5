"""Every code that the platform can answer with is in docs/errors.md, and no other code is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import dlsys_server.app  # loads every room, and so every subclass of the tree
from dlsys_server.api.problems import HTTP_CODES
from dlsys_server.core.errors import DlsysError
from dlsys_server.metadata.mlflow.errors import MlflowError
from jupyter_dlsys.client import errors
from jupyter_dlsys.server_extension.backend import Starting

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = ROOT / "server" / "dlsys_server"
PAGE = ROOT / "docs" / "errors.md"
DOORS = "## Codes of the doors"


def _tree(kind: type[DlsysError]) -> set[str]:
    found = {kind.code} if kind is not MlflowError else set()
    return found.union(*(_tree(sub) for sub in kind.__subclasses__()))


def _mlflow_codes(call: ast.Call) -> set[str]:
    """The code of `MlflowError(status, "SOME_CODE", …)` when it is written out."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name != "MlflowError" or len(call.args) < 2:
        return set()
    code = call.args[1]
    if not isinstance(code, ast.Constant) or not isinstance(code.value, str):
        return set()
    return {"mlflow-" + code.value.lower().replace("_", "-")}


def _literals(path: Path) -> set[str]:
    """Codes that are written at the place where an error is made."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        found |= _mlflow_codes(node)
        for keyword in node.keywords:
            if keyword.arg != "code":
                continue
            texts = [n.value for n in ast.walk(keyword.value) if isinstance(n, ast.Constant)]
            found |= {text for text in texts if isinstance(text, str)}
    return found


@functools.cache
def _in_code() -> set[str]:
    assert dlsys_server.app.ROUTERS
    found = _tree(DlsysError) | set(HTTP_CODES.values())
    for path in sorted(PLATFORM.rglob("*.py")):
        found |= _literals(path)
    return found


def _of_the_doors() -> set[str]:
    found: set[str] = set()
    pending: list[type[errors.DlsysError]] = [errors.DlsysError, Starting]
    while pending:
        kind = pending.pop()
        found.add(kind.code)
        pending += kind.__subclasses__()
    for path in sorted((ROOT / "jupyter_dlsys").rglob("*.py")):
        found |= _literals(path)
    return found


def _on_page() -> dict[str, str]:
    """Code → the rest of its row, of the platform's part of the page."""
    text = PAGE.read_text("utf-8").partition(DOORS)[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    return dict(rows)


def test_the_reader_of_the_code_finds_codes() -> None:
    found = _in_code()
    assert {"wrong-offset", "impossible-resources", "http-error", "conflict"} <= found
    assert "mlflow-temporarily-unavailable" in found


def test_every_code_of_the_platform_is_documented() -> None:
    assert sorted(_in_code() - set(_on_page())) == []


def test_every_code_of_the_doors_is_documented() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", PAGE.read_text("utf-8")))
    assert sorted(_of_the_doors() - named) == []


def test_the_page_names_no_code_that_is_gone() -> None:
    assert sorted(set(_on_page()) - _in_code()) == []


def test_every_code_has_a_status_a_meaning_and_a_next_step() -> None:
    for code, rest in _on_page().items():
        cells = [cell.strip() for cell in rest.split(" | ")]
        assert len(cells) == 3, code
        assert re.fullmatch(r"\d{3}(, \d{3})*", cells[0]), code
        assert all(cells), code
