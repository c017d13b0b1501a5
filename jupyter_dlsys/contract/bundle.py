"""What travels with a job: the notebook or script, and the local modules that it imports.

Read by the SDK when a person submits a file, and by the platform when a schedule follows one.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_dlsys.contract.jobs import SourceFile

MAX_SOURCE_BYTES = 32 * 2**20
MAX_MODULE_BYTES = 10 * 2**20
MAGIC = re.compile(r"^\s*(%|!|\?)|\?\s*$")
PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


class BundleError(ValueError):
    """A file cannot travel; `detail` says which and why, `hint` what to do."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail, self.hint = detail, hint


def read_source(path: Path) -> SourceFile:
    """The notebook or script itself.

    Raises:
        BundleError: it is not there, too large, or neither a notebook nor a Python file.
    """
    if path.suffix not in (".ipynb", ".py"):
        raise BundleError(
            f"{path.name} is neither a notebook nor a Python file.",
            "Submit a .ipynb or a .py file.",
        )
    return SourceFile(path=path.name, content=_text(path, MAX_SOURCE_BYTES, _large_source))


def local_modules(path: Path, content: str) -> list[SourceFile]:
    """Modules and packages beside the source that it imports, directly or through each other.

    A package comes whole, so what it imports by name at run time is there too.

    Args:
        path: of the source; its folder is searched.
        content: the text of the source.

    Raises:
        BundleError: they cannot be read or are too large to be code, or the source is no notebook.
    """
    folder = path.parent
    found: dict[Path, str] = {}
    pending = list(_imported(_code(path, content)))
    seen = set(pending)
    while pending:
        for file in _files(folder, pending.pop()):
            if file in found or file == path:
                continue
            found[file] = _text(file, MAX_MODULE_BYTES, _large_modules)
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
    if total > MAX_MODULE_BYTES:
        raise _large_modules(max(found, key=lambda file: len(found[file])), total)


def _large_modules(largest: Path, size: int) -> BundleError:
    return BundleError(
        f"The local modules are {size / 1e6:.0f} MB, more than code can be ({largest.name}).",
        "Move data out of the modules: commit it as a dataset.",
    )


def _large_source(path: Path, size: int) -> BundleError:
    return BundleError(
        f"{path.name} is {size / 2**20:.0f} MB; at most {MAX_SOURCE_BYTES // 2**20} MB can travel "
        "with a job.",
        "Clear the notebook's outputs, and keep data in datasets.",
    )


def _text(path: Path, limit: int, too_large: Callable[[Path, int], BundleError]) -> str:
    try:
        data, size = _read(path, limit)
        if size > limit:
            raise too_large(path, size)
        return data.decode("utf-8")
    except FileNotFoundError:
        raise BundleError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror}.", "Look who may read it, and at its disk."
        ) from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} cannot be read: {error}.", "It must be UTF-8 text.") from None


def _read(path: Path, limit: int) -> tuple[bytes, int]:
    """The first `limit` bytes of a regular file, and its size. A pipe never holds us up."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise BundleError(f"{path} is not a regular file.", "It is a folder or a pipe.")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    return data[:limit], max(len(data), about.st_size)


def _code(path: Path, content: str) -> str:
    if path.suffix == ".py":
        return content
    try:
        cells = json.loads(content).get("cells", [])
        return "\n".join(_cell_code(c) for c in cells if c.get("cell_type") == "code")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise BundleError(
            f"{path.name} is not a notebook that can be read: {error}",
            "Open it in JupyterLab and save it again.",
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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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
