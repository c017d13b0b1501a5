"""A syntax tree read once: its nodes by kind, when each runs, and the names that it binds."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, TypeVar

Scope = Literal["always", "maybe", "called"]
"""When a node runs: with the cell, with luck (a branch, a `try`), or when it is called."""

N = TypeVar("N", bound=ast.AST)
FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda})
BRANCHES = frozenset({ast.If, ast.While, ast.Try, ast.IfExp, ast.BoolOp, ast.Match})
BINDING = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom}
    | {ast.MatchAs, ast.MatchStar, ast.MatchMapping, ast.Global}
)


class Index:
    """All nodes of a tree."""

    def __init__(self, tree: ast.AST | None) -> None:
        self._by_kind: dict[type, list[tuple[ast.AST, Scope]]] = defaultdict(list)
        self.bound: set[str] = set()
        """Names that are global after it has run, also by `global` in functions."""
        self.loaded: set[str] = set()
        """Names that it reads anywhere."""
        if tree is not None:
            self._walk(tree)

    def of(self, kind: type[N]) -> list[tuple[N, Scope]]:
        """Nodes of exactly this kind with when they run; not in the order of the text."""
        return self._by_kind.get(kind, [])  # type: ignore[return-value]

    def all(self, kind: type[N]) -> list[N]:
        """The same without when."""
        return [node for node, _ in self.of(kind)]

    def _walk(self, tree: ast.AST) -> None:
        pending: list[tuple[ast.AST, Scope, bool]] = [(tree, "always", True)]
        while pending:
            node, scope, is_global = pending.pop()
            kind = type(node)
            self._by_kind[kind].append((node, scope))
            if isinstance(node, ast.Name):
                self._name(node, is_global)
            elif kind is not ast.Constant:
                if kind in BINDING and (is_global or kind is ast.Global):
                    self.bound |= _binds(node)
                if kind in FUNCTIONS:
                    scope, is_global = "called", False
                elif kind is ast.ClassDef:
                    is_global = False
                elif kind in BRANCHES and scope == "always":
                    scope = "maybe"
                pending += [
                    (child, scope, is_global and not (kind is ast.comprehension and is_target))
                    for child, is_target in _children(node)
                ]

    def _name(self, node: ast.Name, is_global: bool) -> None:
        if not isinstance(node.ctx, ast.Store):
            self.loaded.add(node.id)
        elif is_global:
            self.bound.add(node.id)


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Child nodes; true for what a loop or a comprehension counts through."""
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            for child in value:
                if isinstance(child, ast.AST):
                    yield child, False
        elif isinstance(value, ast.AST) and field != "ctx":
            yield value, field == "target"


def _binds(node: ast.AST) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
        return {node.name}
    if isinstance(node, ast.MatchMapping) and node.rest:
        return {node.rest}
    if isinstance(node, ast.Global):
        return set(node.names)
    return set()


def guarded(index: Index, *errors: str) -> set[int]:
    """Ids of the nodes inside a `try` whose handler takes one of these errors."""
    return {
        id(inner)
        for node in index.all(ast.Try)
        if any(_takes(handler.type, errors) for handler in node.handlers)
        for part in node.body
        for inner in ast.walk(part)
    }


def _takes(kind: ast.expr | None, errors: tuple[str, ...]) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(dotted(k) in (*errors, "Exception", "BaseException") for k in kinds)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression; of `f().c` it is `.c`, of anything else ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def text_argument(call: ast.Call, *keywords: str) -> ast.Constant | None:
    """The first argument, or the one of these keywords, when it is a text written out."""
    given = call.args[:1] + [k.value for k in call.keywords if k.arg in keywords]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value
    return None
