"""What a submission must fulfil before it is kept."""

from __future__ import annotations

import difflib
import re

from dlsys_server.core.errors import InvalidInput, Refused
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.jobs import NotebookInfo, SubmitRequest

from . import sources
from .slots import Capacity

INPUT_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")


def check(body: SubmitRequest, capacity: Capacity) -> NotebookInfo:
    """Source, input names and resources; what is known of the source.

    Raises:
        InvalidInput: a source or a name is unusable.
        Refused: the machine can never give what is asked for.
    """
    sources.check_files(body.source, body.modules)
    info = sources.inspect(body.source)
    for name in body.inputs:
        if not INPUT_NAME.match(name):
            raise InvalidInput(
                f"'{name}' is not a name for an input.",
                hint="Use letters, digits and '_', e.g. data=tweets@v1.",
            )
    _check_resources(body, capacity)
    return info


def _check_resources(body: SubmitRequest, capacity: Capacity) -> None:
    wanted = body.resources
    asked = {
        "cpus": (wanted.cpus, capacity.cpus, "CPUs"),
        "gpus": (wanted.gpus, len(capacity.gpus), "GPUs"),
        "memory_bytes": (
            (wanted.memory_bytes or 0) / 2**30,
            round(capacity.memory_bytes / 2**30, 1),
            "GB of memory",
        ),
    }
    problems = [
        FieldProblem(
            field=f"resources.{field}",
            message=f"asks for {amount:g} {unit}; this machine has {there_is:g}",
        )
        for field, (amount, there_is, unit) in asked.items()
        if amount > there_is
    ]
    if problems:
        raise Refused(
            f"The job could never start: it {problems[0].message}.",
            code="impossible-resources",
            hint="Ask for less; `dlsys workers` shows what there is.",
            errors=problems,
        )


def unknown_parameters(body: SubmitRequest, info: NotebookInfo) -> str:
    """A note on a parameter that the notebook does not have, with the nearest name; or ''."""
    known = [parameter.name for parameter in info.parameters]
    if info.kind == "script" or not known:
        return ""
    for name in body.parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            guess = f" Did you mean '{near[0]}'?" if near else ""
            return f"The notebook has no parameter '{name}'.{guess}"
    return ""
