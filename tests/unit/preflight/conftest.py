"""A look at a notebook, without a platform around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dlsys_server.core.errors import NotFound
from dlsys_server.training.preflight.report import Around, examine
from dlsys_server.training.slots import Capacity
from jupyter_dlsys.contract.jobs import InputRequest, SourceFile, SubmitRequest
from jupyter_dlsys.contract.preflight import Finding, PreflightReport
from tests.support.platform import notebook

DATASETS = ["faces", "tweets"]
JOBS = {"GOOD": "succeeded", "BAD": "failed", "NEW": "queued"}
Look = Callable[..., PreflightReport]


@pytest.fixture
def look() -> Look:
    """`look(notebook or script or list of cells, parameters=…, gpus=…)`: the report."""
    return look_at


def look_at(
    source: dict[str, Any] | str | list[str], *, gpus: tuple[str, ...] = (), **body: Any
) -> PreflightReport:
    if isinstance(source, list):
        source = notebook(*source)
    is_script = isinstance(source, str)
    content = source if isinstance(source, str) else json.dumps(source)
    return look_content("t.py" if is_script else "t.ipynb", content, gpus=gpus, **body)


def look_content(
    path: str, content: str, *, gpus: tuple[str, ...] = (), **body: Any
) -> PreflightReport:
    """The report on a file as it is."""
    return examine(
        SubmitRequest(source=SourceFile(path=path, content=content), **body),
        Around(
            capacity=Capacity(4, 8 * 2**30, gpus),
            examine_input=_examine,
            dataset_names=lambda: DATASETS,
            job_states=lambda wanted: {job: JOBS[job] for job in wanted if job in JOBS},
        ),
    )


def _examine(_name: str, wanted: InputRequest) -> None:
    dataset, _, ref = wanted.dataset.partition("@")
    if dataset == "empty":
        raise NotFound("Dataset 'empty' has no version yet.", code="no-such-version")
    if dataset not in DATASETS:
        raise NotFound(f"There is no dataset '{dataset}'.", code="no-such-dataset")
    if ref not in ("", "v1"):
        raise NotFound(f"'{dataset}' has no version '{ref}'.", code="no-such-version")


def only(report: PreflightReport, code: str) -> Finding:
    """The one finding with this code."""
    found = [f for f in report.findings if f.code == code]
    assert len(found) == 1, report.findings
    return found[0]
