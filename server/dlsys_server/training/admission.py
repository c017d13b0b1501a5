"""What a submission must fulfil before it is kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Container, Iterable, Mapping

from dlsys_server.core.errors import InvalidInput, Refused
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.jobs import NotebookInfo, Resources, SubmitRequest

from . import sources
from .queueing import Candidate, Limits
from .slots import Capacity, Slots, gigabytes

INPUT_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
VARIABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$", re.ASCII)
VARIABLE_BYTES = 32 * 2**10
RESERVED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("DLSYS_",), "the platform tells the job about itself in DLSYS_…"),
    (
        (
            "MLFLOW_TRACKING_",
            "MLFLOW_REGISTRY_URI",
            "MLFLOW_RUN_ID",
            "MLFLOW_WORKSPACE",
            "MLFLOW_EXPERIMENT_",
        ),
        "the platform ties the job to its own MLflow run with it",
    ),
    (("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"), "the queue gives GPUs, see --gpus"),
    (("LD_PRELOAD", "LD_AUDIT"), "it would change the program that starts the job"),
)
"""Beginnings of names, and why they are refused."""


def check(
    body: SubmitRequest,
    capacity: Capacity,
    limits: Limits | None = None,
    free: Callable[[], Slots] | None = None,
) -> NotebookInfo:
    """Source, names and resources; what is known of the source.

    Args:
        limits: what users and projects may hold at once.
        free: what is free now; to say whether what would fit could start at once.

    Raises:
        InvalidInput: a source or a name is unusable.
        Refused: the machine can never give what is asked for, or a variable is the platform's.
    """
    sources.check_files(body.source, body.modules)
    info = sources.inspect(body.source)
    check_request(body, capacity, limits, free)
    return info


def check_request(
    body: SubmitRequest,
    capacity: Capacity,
    limits: Limits | None = None,
    free: Callable[[], Slots] | None = None,
) -> None:
    """The same without the source: names of inputs and variables, resources."""
    for name in body.inputs:
        if not INPUT_NAME.match(name):
            raise InvalidInput(
                f"'{name}' is not a name for an input.",
                hint="Use letters, digits and '_', e.g. data=tweets@v1.",
            )
    _check_variables(body.variables)
    _check_resources(body, capacity, limits or Limits(), free)


def check_upstreams(after: Iterable[str], known: Container[str], project: str) -> None:
    """The jobs that have to succeed first must be there. As they are older than the one that waits
    for them, no circle can come about.

    Raises:
        Refused: one is not in the project, or not there at all.
    """
    problems = [
        FieldProblem(field="after", message=f"there is no job '{job[:60]}' in {project}")
        for job in after
        if job not in known
    ]
    if problems:
        raise Refused(
            f"The job cannot wait for others: {problems[0].message}.",
            code="no-such-upstream",
            hint="`dlsys jobs list` shows the jobs; a job can wait for those submitted before it.",
            errors=problems,
        )


def _check_variables(variables: Mapping[str, str]) -> None:
    problems = [
        FieldProblem(field=f"variables.{name[:60]}", message=words)
        for name, value in variables.items()
        if (words := _wrong_variable(name, value))
    ]
    if problems:
        raise Refused(
            f"The job's environment cannot be made: {problems[0].message}.",
            code="bad-variable",
            hint="Leave it out, or give it another name.",
            errors=problems,
        )


def _wrong_variable(name: str, value: str) -> str:
    if not VARIABLE_NAME.match(name):
        return f"'{name[:60]}' is no name of a variable (letters, digits and '_')"
    if len(name) + len(value.encode()) > VARIABLE_BYTES:
        return f"{name} is larger than {VARIABLE_BYTES >> 10} kB"
    for prefixes, why in RESERVED:
        if name.startswith(prefixes):
            return f"{name} is not yours to set: {why}"
    return ""


def _check_resources(
    body: SubmitRequest, capacity: Capacity, limits: Limits, free: Callable[[], Slots] | None
) -> None:
    wanted = body.resources
    problems = [
        *_more_than_there_is(wanted, capacity, free),
        *_more_than_allowed(wanted, limits),
    ]
    if wanted.gpu_share < 1 and wanted.gpus != 1:
        words = f"asks for {wanted.gpu_share:.0%} of a GPU together with {wanted.gpus} GPUs"
        words += ": --gpu-share shares one GPU, so it goes with --gpus 1"
        problems.append(FieldProblem(field="resources.gpu_share", message=words))
    if problems:
        raise Refused(
            f"The job could never start: it {problems[0].message}.",
            code="impossible-resources",
            hint="Ask for less; `dlsys workers` shows what there is.",
            errors=problems,
        )


def _more_than_there_is(
    wanted: Resources, capacity: Capacity, free: Callable[[], Slots] | None
) -> list[FieldProblem]:
    memory = wanted.memory_bytes or 0
    too_much = {
        "cpus": wanted.cpus > capacity.cpus,
        "gpus": wanted.gpus > len(capacity.gpus),
        "memory_bytes": memory > capacity.memory_bytes,
    }
    if not any(too_much.values()):
        return []
    fitting = Candidate(
        "",
        "",
        "",
        "",
        cpus=min(wanted.cpus, capacity.cpus),
        gpus=min(wanted.gpus, len(capacity.gpus)),
        memory_limit=min(memory, capacity.memory_bytes),
    )
    when = "would start now" if free is not None and free().fits(fitting) else "would fit"
    megabytes = capacity.memory_bytes >> 20
    words = {
        "cpus": f"asks for {wanted.cpus:g} CPUs; this machine has {capacity.cpus:g}: "
        f"--cpus {fitting.cpus:g} {when}",
        "gpus": f"asks for {wanted.gpus} GPUs; this machine has {len(capacity.gpus) or 'none'}: "
        + (f"--gpus {fitting.gpus} {when}" if fitting.gpus else f"without --gpus it {when}"),
        "memory_bytes": f"asks for {gigabytes(memory)} of memory; this machine has "
        f"{gigabytes(capacity.memory_bytes)}: --memory {megabytes}M {when}",
    }
    fits = {"cpus": f"{fitting.cpus:g}", "gpus": None, "memory_bytes": f"{megabytes}M"}
    if fitting.gpus:
        fits["gpus"] = str(fitting.gpus)
    return [
        FieldProblem(field=f"resources.{field}", message=words[field], expected=fits[field])
        for field, wrong in too_much.items()
        if wrong
    ]


def _more_than_allowed(wanted: Resources, limits: Limits) -> list[FieldProblem]:
    gpus = wanted.gpus * wanted.gpu_share
    asked = (
        ("cpus", wanted.cpus, limits.user_cpus, "CPUs", "one user"),
        ("gpus", gpus, limits.user_gpus, "GPUs", "one user"),
        ("gpus", gpus, limits.project_gpus, "GPUs", "one project"),
    )
    return [
        FieldProblem(
            field=f"resources.{field}",
            message=f"asks for {amount:g} {unit}; {who} may hold {most:g} at once: "
            f"--{field} {most:g} would fit",
            expected=f"{most:g}",
        )
        for field, amount, most, unit, who in asked
        if most and amount > most
    ]


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
