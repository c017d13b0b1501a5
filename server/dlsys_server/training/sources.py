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


def read_notebook(source: SourceFile) -> dict[str, Any]:
    """The notebook as a dict.

    Raises:
        InvalidInput: not a notebook of format 4.
    """
    try:
        notebook = json.loads(source.content)
    except ValueError as error:
        raise InvalidInput(
            f"{source.path} is not a notebook: {error}",
            hint="Open it in JupyterLab and save it again.",
        ) from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise InvalidInput(
            f"{source.path} has no cells.", hint="Open it in JupyterLab and save it again."
        )
    if notebook.get("nbformat") != 4:
        raise InvalidInput(
            f"{source.path} has notebook format {notebook.get('nbformat')}; 4 is needed.",
            hint="Open it in JupyterLab and save it again, which converts it.",
        )
    return notebook


def canonical_hash(source: SourceFile, modules: list[SourceFile]) -> str:
    """'sha256:…' over cell types and sources (or the script) and modules, not over outputs."""
    digest = hashlib.sha256()
    if kind_of(source.path) == "notebook":
        cells = [
            (cell.get("cell_type", ""), _text(cell).rstrip())
            for cell in read_notebook(source)["cells"]
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
    if kind_of(source.path) == "script":
        info = NotebookInfo(kind="script", language="python", code_cells=1)
        _read_code(info, [source.content])
        return info
    notebook = read_notebook(source)
    metadata = notebook.get("metadata") or {}
    code = [c for c in notebook["cells"] if c.get("cell_type") == "code"]
    info = NotebookInfo(
        kind="notebook",
        language=(metadata.get("language_info") or {}).get("name") or "python",
        kernel=(metadata.get("kernelspec") or {}).get("name"),
        code_cells=len(code),
    )
    tagged = [c for c in code if "parameters" in (c.get("metadata") or {}).get("tags", [])]
    if info.language == "python":
        _read_code(info, [_without_magics(_text(c)) for c in code])
        info.parameters = _parameters(_text(tagged[0])) if tagged else []
    if not tagged:
        info.findings.append(
            "No cell is tagged 'parameters', so the notebook runs with the values it has."
        )
    return info


def _read_code(info: NotebookInfo, cells: list[str]) -> None:
    imports: set[str] = set()
    inputs: set[str] = set()
    for number, code in enumerate(cells, 1):
        try:
            tree = ast.parse(code)
        except SyntaxError as error:
            where = f"cell {number}, line" if info.kind == "notebook" else "line"
            info.findings.append(f"Syntax error in {where} {error.lineno}: {error.msg}.")
            continue
        imports |= _imports(tree)
        inputs |= _inputs(tree)
    info.imports, info.inputs = sorted(imports), sorted(inputs)


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _without_magics(source: str) -> str:
    if source.lstrip().startswith("%%"):
        return ""
    lines = source.splitlines()
    return "\n".join("pass" if line.lstrip()[:1] in ("%", "!") else line for line in lines)


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def _inputs(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "input"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("dlsys", "jupyter_dlsys")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            names.add(node.args[0].value)
    return names


def _parameters(source: str) -> list[Parameter]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    comments = _comments(source)
    found: list[Parameter] = []
    for node in tree.body:
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
                comment=comments.get(node.end_lineno or node.lineno, ""),
            )
        )
    return found


def _literal(value: ast.expr) -> Any:
    try:
        literal = ast.literal_eval(value)
        json.dumps(literal)
    except (ValueError, TypeError):
        return ast.unparse(value)
    return literal


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        return {
            t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT
        }
    except (tokenize.TokenError, IndentationError):
        return {}
