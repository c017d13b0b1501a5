"""What a job is made of: the notebook or script, its modules, their canonical hash; and what can be
read from it without running it."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from pathlib import PurePosixPath
from typing import Any

from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.jobs import NotebookInfo, Parameter, SourceFile

from .code import Code, Codes, codes_of
from .notebook import is_text, read_notebook, text_of
from .tree import Index, text_argument

MAX_BYTES = 32 * 2**20


def kind_of(path: str) -> str:
    """'notebook' or 'script'.

    Raises:
        InvalidInput: neither.
    """
    suffix = PurePosixPath(path).suffix
    if suffix == ".ipynb":
        return "notebook"
    if suffix == ".py":
        return "script"
    raise InvalidInput(
        f"'{path}' is neither a notebook nor a Python script.",
        hint="Submit a file that ends in .ipynb or .py.",
    )


def check_files(source: SourceFile, modules: list[SourceFile]) -> None:
    """Refuse unsafe or repeated paths and sources that are too big.

    Raises:
        InvalidInput: says which file and why.
    """
    seen: set[str] = set()
    for file in [source, *modules]:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or "\\" in file.path or "\0" in file.path:
            raise InvalidInput(
                f"The path '{file.path}' leaves the job's folder.",
                hint="Use paths relative to the notebook's folder.",
            )
        if str(path) in seen:
            raise InvalidInput(f"'{path}' is there twice.", hint="Send each file once.")
        seen.add(str(path))
    if sum(len(f.content) for f in [source, *modules]) > MAX_BYTES:
        raise InvalidInput(
            f"The sources are larger than {MAX_BYTES // 2**20} MB.",
            hint="Clear the notebook's outputs, and keep data in datasets.",
        )


def canonical_hash(source: SourceFile, modules: list[SourceFile]) -> str:
    """'sha256:…' over cell types and sources (or the script) and modules, not over outputs."""
    digest = hashlib.sha256()
    if kind_of(source.path) == "notebook":
        cells = [
            (cell["cell_type"], text_of(cell).rstrip()) for cell in read_notebook(source)["cells"]
        ]
        digest.update(json.dumps([c for c in cells if c[1]], ensure_ascii=False).encode())
    else:
        digest.update(source.content.rstrip().encode())
    for module in sorted(modules, key=lambda m: m.path):
        digest.update(b"\0" + module.path.encode() + b"\0" + module.content.rstrip().encode())
    return "sha256:" + digest.hexdigest()


def inspect(source: SourceFile) -> NotebookInfo:
    """Parameters, inputs and imports.

    Raises:
        InvalidInput: not a notebook or script.
    """
    kind_of(source.path)
    return describe(codes_of(source))


def describe(found: Codes) -> NotebookInfo:
    """The same of code that was read already."""
    trees = [cell.tree_index for cell in found.cells]
    tagged = next((cell for cell in found.cells if "parameters" in cell.tags), None)
    return NotebookInfo(
        kind="script" if found.notebook is None else "notebook",
        language=found.language,
        kernel=found.kernel,
        code_cells=len(found.cells),
        imports=sorted(set().union(*map(_imports, trees))),
        inputs=sorted(set().union(*map(inputs_read, trees))),
        parameters=_parameters(tagged) if tagged else [],
    )


def _imports(index: Index) -> set[str]:
    return {
        alias.name.partition(".")[0] for node in index.all(ast.Import) for alias in node.names
    } | {
        node.module.partition(".")[0]
        for node in index.all(ast.ImportFrom)
        if node.module and not node.level
    }


def inputs_read(index: Index) -> set[str]:
    """Names given to `dlsys.input(…)`, also where the module has another name."""
    aliases = [a for node in index.all(ast.Import) for a in node.names if a.asname]
    modules = {"dlsys", "jupyter_dlsys"} | {
        str(a.asname) for a in aliases if a.name == "jupyter_dlsys"
    }
    functions = {
        a.asname or a.name
        for node in index.all(ast.ImportFrom)
        if node.module == "jupyter_dlsys"
        for a in node.names
        if a.name == "input"
    }
    found = (
        text_argument(call)
        for call in index.all(ast.Call)
        if _is_input(call.func, modules, functions)
    )
    return {str(text.value) for text in found if text and is_text(text.value)}


def _is_input(function: ast.expr, modules: set[str], functions: set[str]) -> bool:
    if isinstance(function, ast.Name):
        return function.id in functions
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "input"
        and isinstance(function.value, ast.Name)
        and function.value.id in modules
    )


def _parameters(cell: Code) -> list[Parameter]:
    if cell.tree is None:
        return []
    comments = _comments(cell.text)
    found: list[Parameter] = []
    for node in cell.tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if not isinstance(target, ast.Name) or value is None:
            continue
        default = _literal(value)
        annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        found.append(
            Parameter(
                name=target.id,
                type=annotation or ("" if default is None else type(default).__name__),
                default=default,
                comment=comments.get((node.end_lineno or node.lineno) - cell.offset, ""),
            )
        )
    return found


def _literal(value: ast.expr) -> Any:
    try:
        literal = ast.literal_eval(value)
        json.dumps(literal, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        return _written(value)
    return literal


def _written(value: ast.expr) -> str:
    try:
        return ast.unparse(value).encode("utf-8", "replace").decode()
    except (RecursionError, ValueError):
        return "…"


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        return {
            t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT
        }
    except (tokenize.TokenError, SyntaxError):
        return {}
