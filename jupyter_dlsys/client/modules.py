"""Local modules that a notebook or script imports: what has to travel with a job."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.contract.jobs import SourceFile

MAX_BYTES = 10 * 2**20
MAGIC = re.compile(r"^\s*(%|!|\?)|\?\s*$")
PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


def read_source(path: Path) -> SourceFile:
    """The notebook or script itself.

    Raises:
        UsageError: it is not there, or neither a notebook nor a Python file.
    """
    if path.suffix not in (".ipynb", ".py"):
        raise UsageError(
            f"{path.name} is neither a notebook nor a Python file.",
            hint="Submit a .ipynb or a .py file.",
        )
    return SourceFile(path=path.name, content=_text(path))


def local_modules(path: Path) -> list[SourceFile]:
    """Modules and packages beside the source that it imports, directly or through each other.

    A package comes whole, so what it imports by name at run time is there too.

    Raises:
        UsageError: they are too large to be code.
    """
    folder = path.parent
    found: dict[Path, str] = {}
    pending = list(_imported(_code(path)))
    seen = set(pending)
    while pending:
        for file in _files(folder, pending.pop()):
            if file in found or file == path:
                continue
            found[file] = _text(file)
            new = set(_imported(found[file])) - seen
            seen |= new
            pending += new
    _check_size(found)
    return [
        SourceFile(path=file.relative_to(folder).as_posix(), content=content)
        for file, content in sorted(found.items())
    ]


def _check_size(found: dict[Path, str]) -> None:
    total = sum(len(content) for content in found.values())
    if total > MAX_BYTES:
        largest = max(found, key=lambda file: len(found[file]))
        raise UsageError(
            f"The local modules are {total / 1e6:.0f} MB, more than code can be ({largest.name}).",
            hint="Move data out of the modules: commit it as a dataset.",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="It must be UTF-8 text.") from None


def _code(path: Path) -> str:
    content = _text(path)
    if path.suffix == ".py":
        return content
    try:
        cells = json.loads(content).get("cells", [])
        return "\n".join(_cell_code(c) for c in cells if c.get("cell_type") == "code")
    except (ValueError, AttributeError) as error:
        raise UsageError(
            f"{path.name} is not a notebook that can be read: {error}",
            hint="Open it in JupyterLab and save it again.",
        ) from None


def _cell_code(cell: dict[str, str | list[str]]) -> str:
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(source)
    if text.lstrip().startswith("%%") and not text.lstrip().startswith(PYTHON_CELL_MAGICS):
        return ""
    kept = "\n".join("" if MAGIC.search(line) else line for line in text.splitlines())
    return kept if _parses(kept) else ""


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _imported(code: str) -> Iterator[str]:
    """Top-level names of absolute imports."""
    if not _parses(code):
        return
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _files(folder: Path, name: str) -> list[Path]:
    package = folder / name
    if package.is_dir() and (package / "__init__.py").is_file():
        return _package(package)
    module = folder / f"{name}.py"
    if module.is_file():
        return [module]
    return _package(package) if package.is_dir() else []


def _package(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*.py")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
