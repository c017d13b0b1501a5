"""Functions that are called in a cell before the names that they use are defined."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

from dlsys_server.training.code import Code
from jupyter_dlsys.contract.preflight import Finding

from .subject import finding


def called_too_early(
    cells: list[Code], defined: dict[int, set[str]], given: frozenset[str]
) -> Iterator[Finding]:
    """Calls at the top of a cell whose function needs a name that a later cell defines."""
    needs: dict[str, set[str]] = {}
    there: set[str] = set(given)
    told: set[str] = set()
    first: dict[str, int] = {}
    for cell in reversed(cells):
        first |= dict.fromkeys(defined[cell.index], cell.index)
    if not any(first.get(n, -1) > cell.index for cell in cells for n in cell.tree_index.loaded):
        return
    for position, cell in enumerate(cells):
        there |= defined[cell.index]
        needs |= _needs(cell)
        for name, call in _calls(cell):
            for needed in sorted(_all_needs(name, needs) - there - told):
                later = next((c for c in cells[position + 1 :] if needed in defined[c.index]), None)
                if later is None:
                    continue  # pyflakes tells of names that are nowhere
                told.add(needed)
                yield finding(
                    "undefined-name",
                    "info" if cell.tolerated else "warning",
                    f"{name}() uses '{needed}', which is defined later, in cell {later.index + 1}.",
                    cell,
                    cell.line_of(call),
                )


def _calls(cell: Code) -> list[tuple[str, ast.Call]]:
    """Calls of plain names that happen when the cell runs, in order."""
    found = [
        (call.func.id, call)
        for call, scope in cell.calls
        if scope != "called" and isinstance(call.func, ast.Name)
    ]
    return sorted(found, key=lambda pair: pair[1].lineno)


def _needs(cell: Code) -> dict[str, set[str]]:
    """Global names that each function of the cell reads."""
    index = cell.tree_index
    if not index.of(ast.FunctionDef) and not index.of(ast.AsyncFunctionDef):
        return {}
    try:
        top = symtable.symtable(cell.source, "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return {}  # `await` outside of a function
    return {
        table.get_name(): set(_globals(table))
        for table in top.get_children()
        if table.get_type() == "function"
    }


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and not symbol.is_assigned():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _globals(inner)


def _all_needs(name: str, needs: dict[str, set[str]]) -> set[str]:
    """With what the functions that it uses need."""
    found: set[str] = set()
    pending = [name]
    seen: set[str] = set()
    while pending:
        current = pending.pop()
        if current in seen or current not in needs:
            continue
        seen.add(current)
        found |= needs[current]
        pending += needs[current]
    return found
