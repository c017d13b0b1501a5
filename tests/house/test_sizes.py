"""Small files, small functions: a reader holds one in the head. Generated files are exempt."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON_FILE, TYPESCRIPT_FILE, FUNCTION = 400, 350, 50
PRODUCT = ("jupyter_dlsys", "server", "scripts", "benchmarks", "hub-config")
GENERATED = ("/migrations/versions/", "/node_modules/")


def _files(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    found = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes]
    return [p for p in found if not any(part in p.as_posix() for part in GENERATED)]


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(n.name, (n.end_lineno or n.lineno) - n.lineno + 1) for n in nodes]


def test_python_files_are_small() -> None:
    files = _files(*PRODUCT, "tests")
    assert len(files) > 20
    big = [
        f"{path.relative_to(ROOT)}: {_lines(path)}" for path in files if _lines(path) > PYTHON_FILE
    ]
    assert not big, f"over {PYTHON_FILE} lines, split by subject:\n" + "\n".join(big)


def test_functions_are_small() -> None:
    big = [
        f"{path.relative_to(ROOT)}: {name} {length}"
        for path in _files(*PRODUCT)
        for name, length in _functions(path)
        if length > FUNCTION
    ]
    assert not big, f"over {FUNCTION} lines:\n" + "\n".join(big)


def test_typescript_files_are_small() -> None:
    files = _files("labextension/src", suffixes=(".ts", ".tsx"))
    assert files
    big = [
        f"{p.relative_to(ROOT)}: {_lines(p)}"
        for p in files
        if not p.name.endswith(".gen.ts") and _lines(p) > TYPESCRIPT_FILE
    ]
    assert not big, f"over {TYPESCRIPT_FILE} lines, split by subject:\n" + "\n".join(big)
