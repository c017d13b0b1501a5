"""Code that waits for a person, ends the kernel, or never ends."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dlsys_server.training.code import Code
from dlsys_server.training.tree import dotted
from jupyter_dlsys.contract.preflight import Finding, Severity

from .subject import Subject, finding

ASKS = frozenset({"input", "raw_input", "getpass", "getpass.getpass", "builtins.input"})
STOPS = frozenset({"breakpoint", "pdb.set_trace", "ipdb.set_trace", "set_trace", "pdb.pm"})
ENDS = frozenset({"exit", "quit"})
DEBUG_MAGICS = frozenset({"debug", "pdb"})


def look(subject: Subject) -> Iterator[Finding]:
    """input(), getpass(), breakpoint(), exit(), %debug, `while True` without an end."""
    if not subject.is_python:
        return
    own = set().union(*(cell.tree_index.bound for cell in subject.cells))
    for cell in subject.cells:
        yield from _magics(cell)
        for loop in cell.tree_index.all(ast.While):
            if _endless(loop):
                text = "`while True` has no break, return or raise: it ends only with the job."
                yield finding("endless-loop", "info", text, cell, cell.line_of(loop))
        for call, scope in cell.calls:
            name = dotted(call.func)
            if name in own and not name.startswith("getpass"):
                continue
            certain: Severity = "error" if scope == "always" else "warning"
            if told := _about(name, certain, subject.is_notebook):
                code, severity, text = told
                severity = "info" if cell.tolerated else severity
                yield finding(code, severity, text, cell, cell.line_of(call))


def _about(name: str, certain: Severity, in_notebook: bool) -> tuple[str, Severity, str] | None:
    if name in ASKS:
        text = f"{name}() waits for a person, and a job has none. Make it a parameter."
        return "waits-for-input", certain, text
    if name in STOPS:
        return "debugger", certain, f"{name}() waits for a person, and a job has none. Take it out."
    if name in ENDS and in_notebook:
        text = f"{name}() ends the kernel, so the job fails. Use sys.exit(0), or raise an error."
        return "ends-kernel", "warning", text
    return None


def _magics(cell: Code) -> Iterator[Finding]:
    for word, line in cell.magics:
        if word in DEBUG_MAGICS:
            text = f"%{word} waits for a person, and a job has none. Take it out."
            yield finding("debugger", "warning", text, cell, line)


def _endless(loop: ast.While) -> bool:
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    pending: list[tuple[ast.AST, bool]] = [(part, True) for part in loop.body]
    while pending:
        node, of_this = pending.pop()
        if isinstance(node, (ast.Return, ast.Raise, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.Break) and of_this:
            return False
        if isinstance(node, ast.Call) and dotted(node.func) in (*ENDS, "sys.exit", "os._exit"):
            return False
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        inner = of_this and not isinstance(node, (ast.For, ast.AsyncFor, ast.While))
        pending += [(child, inner) for child in ast.iter_child_nodes(node)]
    return True
