"""All looks at one submission, as a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from dlsys_server.core.errors import DlsysError, InvalidInput, Refused
from dlsys_server.training import admission, sources
from dlsys_server.training.code import codes_of
from dlsys_server.training.installed import Installed
from dlsys_server.training.queueing import Limits
from dlsys_server.training.slots import Capacity, Slots
from jupyter_dlsys.contract.jobs import Forecast, InputRequest, SubmitRequest
from jupyter_dlsys.contract.preflight import Finding, PreflightReport

from .looks import LOOKS
from .subject import Subject, finding

ORDER = ("error", "warning", "info")
MOST = 60
"""Findings of one look: who gets more has a reason to mend these first."""


@dataclass(frozen=True)
class Around:
    """What the submission would meet.

    `examine_input` raises what binding the input would raise; `job_states` has the states of those
    jobs of the project that exist.
    """

    capacity: Capacity
    examine_input: Callable[[str, InputRequest], None]
    dataset_names: Callable[[], list[str]]
    job_states: Callable[[list[str]], dict[str, str]]
    forecast: Callable[[], Forecast | None] = lambda: None
    limits: Limits | None = None
    free: Callable[[], Slots] | None = None
    quotas: Callable[[], list[Finding]] = list


def examine(body: SubmitRequest, around: Around) -> PreflightReport:
    """What would go wrong with a submission; nothing is kept or run."""
    began = time.perf_counter()
    findings = sorted(_findings(body, around), key=lambda f: ORDER.index(f.severity))
    ok = not any(f.severity == "error" for f in findings)
    return PreflightReport(
        ok=ok,
        findings=findings,
        forecast=around.forecast() if ok else None,
        seconds=round(time.perf_counter() - began, 4),
    )


def _findings(body: SubmitRequest, around: Around) -> list[Finding]:
    refusal: DlsysError | None = None
    try:
        sources.check_files(body.source, body.modules)
        sources.kind_of(body.source.path)
        codes = codes_of(body.source)
        admission.check_request(body, around.capacity, around.limits, around.free)
    except Refused as error:
        refusal = error
    except InvalidInput as error:
        return [finding("unreadable-source", "error", f"{error.detail} {error.hint}")]
    subject = Subject(
        body,
        codes,
        sources.describe(codes),
        around.capacity,
        Installed(),
        around.examine_input,
        around.dataset_names,
        around.job_states,
        refusal,
    )
    found: list[Finding] = []
    for look in LOOKS:
        try:
            found += islice(look(subject), MOST)
        except RecursionError:
            name = look.__module__.rpartition(".")[2]
            text = f"The code is nested too deeply for one of the looks ({name})."
            found.append(finding("too-deep", "info", text))
    return [*found, *around.quotas()]
