"""What a person sees of a job's use and of a machine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from jupyter_dlsys.cli import compute, session
from jupyter_dlsys.client import words
from jupyter_dlsys.client.usage import NOTHING, JobUsage
from jupyter_dlsys.contract.system import Gpu, Isolation, UsagePoint, Warm, Worker

START = datetime(2026, 1, 5, 7, tzinfo=timezone.utc)
GB = 2**30


def usage(**values: object) -> JobUsage:
    """Ten seconds at two CPUs, a pause of a minute, ten seconds at four."""
    times = [(0, 0, 0), (10, 2, 3), (70, 0, 0), (80, 4, 3)]
    points = [
        UsagePoint(
            at=START + timedelta(seconds=second),
            cpus=cpus,
            memory_bytes=GB if processes else 0,
            processes=processes,
            gpu_utilization=0.25 if processes else None,
            gpu_memory_bytes=2 * GB if processes else None,
        )
        for second, cpus, processes in times
    ]
    about = {"cpu_seconds": 60, "peak_memory_bytes": GB, "hints": ["<slow>"], "points": points}
    return JobUsage(job="J", **{**about, **values})  # type: ignore[arg-type]


def test_curves_leave_out_the_pause_between_attempts() -> None:
    found = [(curve.name, curve.figures) for curve in usage().curves()]
    assert found == [
        ("CPUs", "3 on average"),
        ("memory", "1 GB at most"),
        ("GPU", "25% busy on average"),
        ("GPU memory", "2 GB at most"),
    ]
    assert usage().curves()[0].bars == "▅█"


def test_it_shows_itself_escaped_and_says_when_nothing_is_known() -> None:
    html = usage()._repr_html_()
    assert "3 on average" in html
    assert "&lt;slow&gt;" in html
    assert NOTHING in usage(points=[])._repr_html_()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 MB"),
        (310 * 2**20, "310 MB"),
        (1.5 * GB, "1.5 GB"),
        (2000 * GB, "2,000 GB"),
        (999.7 * 2**20, "0.976 GB"),
    ],
)
def test_memory_is_in_the_units_in_which_it_is_asked_for(count: float, text: str) -> None:
    assert words.memory(count) == text


def test_a_sparkline_keeps_peaks_and_width() -> None:
    assert words.sparkline([]) == ""
    assert words.sparkline([0, 0]) == "▁▁"
    long = words.sparkline([0.0] * 500 + [1.0] + [0.0] * 99, 40)
    assert len(long) == 40
    assert long.count("█") == 1


class Fake:
    """A client of one machine."""

    def __init__(self, worker: Worker) -> None:
        self.system = self
        self.worker = worker

    def workers(self) -> list[Worker]:
        return [self.worker]


def test_workers_tells_slots_load_gpus_isolation_and_warm_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    worker = Worker(
        name="box", cpus=8, cpus_used=3, memory_bytes=64 * GB, memory_bytes_used=16 * GB,
        gpus=["0", "1"], gpus_used=1, jobs=["J"], cpu_load=2.25, memory_bytes_load=20 * GB,
        gpu_details=[
            Gpu(id="0", name="Fake", memory_bytes=80 * GB, memory_bytes_used=4 * GB,
                utilization=0.5, jobs=["J"]),
            Gpu(id="1"),
        ],
        isolation=Isolation(account="yours", memory="cgroup", processes="rlimit", sandbox="off"),
        warm=Warm(state="ok", message="Ready.", parked=1, memory_bytes=300 * 2**20),
    )  # fmt: skip
    with session.session(session.Session(client=Fake(worker))):  # type: ignore[arg-type]
        compute.workers(as_json=False)
        shown = capsys.readouterr().out
        compute.workers(as_json=True)
        told = json.loads(capsys.readouterr().out)
    for text in (
        "3 of 8 held, 2.2 busy",
        "16 GB of 64 GB held, 20 GB in use",
        "1 of 2 held",
        "Fake, 50% busy, 4 GB of 80 GB, held by J",
        "free",
        "yours, memory: cgroup, processes: rlimit, sandbox: off",
        "Ready, kernels that wait: 1, 300 MB",
    ):
        assert text in shown
    assert told[0]["gpu_details"][0]["utilization"] == 0.5
