"""Hints: said when the looks show it, and not before."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from dlsys_server.training.hints import Asked, hints
from dlsys_server.training.usage import Point

START = datetime(2026, 1, 5, 7, tzinfo=timezone.utc)
MB, GB = 2**20, 2**30
PLAIN = Asked(cpus=1, memory_bytes=None, gpus=0)


def series(
    seconds: int = 120,
    cpus: float = 0.9,
    memory: float = 300,
    growth: float = 0,
    gpu: float | None = None,
) -> list[Point]:
    """A look every two seconds; memory in MB, growth in MB a second."""
    origin = Point(START, 0, 0, 0)
    return [origin] + [
        Point(
            START + timedelta(seconds=second),
            cpus,
            int((memory + growth * second) * MB),
            3,
            gpu,
        )
        for second in range(2, seconds + 1, 2)
    ]


def test_a_job_that_uses_what_it_asked_for_gets_no_hint() -> None:
    asked = Asked(cpus=1, memory_bytes=512 * MB, gpus=1)
    assert hints(series(gpu=0.8), asked, running=True) == []


@pytest.mark.parametrize("seconds", [0, 10, 24])
def test_few_looks_say_nothing(seconds: int) -> None:
    asked = Asked(cpus=16, memory_bytes=64 * GB, gpus=1)
    assert hints(series(seconds, cpus=0, gpu=0), asked, running=True) == []
    assert hints([], asked, running=True) == []


@pytest.mark.parametrize(
    ("points", "asked", "words"),
    [
        (
            series(gpu=0.04),
            Asked(1, None, 1),
            "GPU 4 % busy: input-bound; try more loader workers.",
        ),
        (series(gpu=0.0), Asked(1, None, 1), "GPU 0 % busy: it has not been used yet."),
        (
            series(cpus=0.1, gpu=0.04),
            Asked(1, None, 1),
            "GPU 4 % busy: it mostly waits, but not for CPUs; "
            "look at storage, network or batch size.",
        ),
        (
            series(cpus=0.2),
            Asked(4, None, 0),
            "Uses 0.2 of its 4 CPUs: ask for 1 and others can start.",
        ),
        (
            series(cpus=0.01, gpu=0.5),
            Asked(2, None, 1),
            "Uses almost none of its 2 CPUs: ask for 1 and others can start.",
        ),
        (
            series(cpus=3.8),
            Asked(1, None, 0),
            "Uses 3.8 CPUs but asked for 1: it slows down others and itself; ask for more.",
        ),
        (
            series(memory=310),
            Asked(1, 16 * GB, 0),
            "Peak memory 310 MB of the 16 GB it asked for: ask for less and others can start.",
        ),
        (
            series(memory=1000),
            Asked(1, GB, 0),
            "Peak memory 0.977 GB of its 1 GB: little room is left.",
        ),
        (
            series(memory=100, growth=1),
            Asked(1, 460 * MB, 0),
            "Memory grows steadily, by 60 MB a minute: may reach its limit of 460 MB "
            "in about 4 min.",
        ),
        (series(60, cpus=0.004), PLAIN, "Waits: no CPU for 48 s."),
    ],
)
def test_each_hint_in_plain_words(points: list[Point], asked: Asked, words: str) -> None:
    assert hints(points, asked, running=True) == [words]


def test_what_is_over_is_not_warned_of() -> None:
    assert hints(series(memory=100, growth=1), Asked(1, 460 * MB, 0), running=False) == []
    assert hints(series(cpus=0.0), PLAIN, running=False) == []


def test_memory_that_goes_up_and_down_or_far_from_its_limit_is_no_growth() -> None:
    saw = [p._replace(memory_bytes=(200 + 90 * (i % 8)) * MB) for i, p in enumerate(series())]
    assert hints(saw, Asked(1, GB, 0), running=True) == []
    assert hints(series(growth=0.01), Asked(1, GB, 0), running=True) == []


def test_a_wait_that_ended_is_not_told() -> None:
    points = [*series(60, cpus=0.0), Point(START + timedelta(seconds=62), 1.0, 300 * MB, 3)]
    assert hints(points, PLAIN, running=True) == []
