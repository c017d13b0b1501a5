"""Data: what the code reads as input, and what the submission binds."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from dlsys_server.core.errors import DlsysError
from dlsys_server.training.code import parse
from dlsys_server.training.sources import inputs_read
from dlsys_server.training.tree import Index
from jupyter_dlsys.contract.preflight import Finding, Fix

from .subject import Subject, finding

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def look(subject: Subject) -> Iterator[Finding]:
    """Inputs that are not bound, not used, or bound to what cannot be read."""
    bound = subject.body.inputs
    if subject.is_python:
        yield from _unbound(subject)
        yield from _by_reference(subject)
        yield from _unused(subject)
    for name, wanted in bound.items():
        try:
            subject.examine(name, wanted)
        except DlsysError as error:
            if error.status >= 500:
                raise
            yield _unreadable(subject, name, wanted.dataset, error)


def _unbound(subject: Subject) -> Iterator[Finding]:
    seen: set[str] = set()
    for cell in subject.cells:
        for name in sorted(inputs_read(cell.tree_index) - set(subject.body.inputs) - seen):
            seen.add(name)
            node = next(n for n in cell.tree_index.all(ast.Constant) if n.value == name)
            suggestion = _suggestion(name, subject.dataset_names())
            text = f"The code reads the input '{name}', which is not bound to a dataset."
            fix = None
            if suggestion:
                fix = Fix(
                    label=f"Bind it to {suggestion}",
                    action="bind-input",
                    target=name,
                    value=suggestion,
                    command=f"-d {name}={suggestion}",
                )
            severity = "info" if cell.tolerated else "error"
            yield finding("unbound-input", severity, text, cell, cell.line_of(node), fix)  # type: ignore[arg-type]


def _by_reference(subject: Subject) -> Iterator[Finding]:
    for cell, call, name in subject.calls:
        if name in ("dlsys.dataset", "jupyter_dlsys.dataset"):
            text = "A job reads only the data that it was submitted with: bind the dataset, and "
            text += "read it with dlsys.input('data')."
            severity = "info" if cell.tolerated else "error"
            yield finding("dataset-in-job", severity, text, cell, cell.line_of(call))  # type: ignore[arg-type]


def _unused(subject: Subject) -> Iterator[Finding]:
    texts = [cell.text for cell in subject.cells] + [m.content for m in subject.body.modules]
    used = set(subject.info.inputs)
    for module in subject.body.modules:
        try:
            used |= inputs_read(Index(parse(module.content)))
        except UNPARSABLE:
            continue
    for name, wanted in subject.body.inputs.items():
        variable = f"DLSYS_INPUT_{name.upper()}"
        if name in used or any(variable in text or "DLSYS_INPUT_" in text for text in texts):
            continue
        text = f"{wanted.dataset[:80]} is bound as '{name}', but the code does not read it. "
        text += f"Read it with dlsys.input('{name}')."
        yield finding("unused-input", "warning" if not used else "info", text)


def _unreadable(subject: Subject, name: str, reference: str, error: DlsysError) -> Finding:
    text = f"Input '{name}': {error.detail} {error.hint}".strip()
    wanted, at, ref = reference.partition("@")
    fix = None
    if error.code == "no-such-dataset":
        near = difflib.get_close_matches(wanted, subject.dataset_names(), 1)
        if near:
            value = near[0] + at + ref
            fix = Fix(
                label=f"Use {value}",
                action="bind-input",
                target=name,
                value=value,
                command=f"-d {name}={value}",
            )
    elif error.code == "no-such-version" and at:
        label = f"Use the newest {wanted}"
        command = f"-d {name}={wanted}"
        fix = Fix(label=label, action="bind-input", target=name, value=wanted, command=command)
    code = error.code if error.code.startswith("no-such") else "unreadable-input"
    return finding(code, "error", text, fix=fix)


def _suggestion(name: str, datasets: list[str]) -> str:
    """The dataset that sounds like the input, or the only one."""
    near = difflib.get_close_matches(name.lower(), datasets, 1)
    holding = [d for d in datasets if name.lower() in d]
    if near or holding:
        return (near or holding)[0]
    return datasets[0] if len(datasets) == 1 else ""
