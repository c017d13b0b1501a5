"""Forecasts: 8 of 10 fall inside, few data make a wide range, none makes none."""

from __future__ import annotations

import random

import pytest

from dlsys_server.training.forecasting import Past, estimate, forecast, seconds_in_words
from dlsys_server.training.queueing import Candidate, Holdings, Limits, Running
from dlsys_server.training.simulating import Play
from dlsys_server.training.slots import Capacity
from jupyter_dlsys.contract.jobs import Range

DRAWS = {
    "log-normal": lambda chance: chance.lognormvariate(4, 0.5),
    "normal": lambda chance: max(1.0, chance.gauss(100, 15)),
    "uniform": lambda chance: chance.uniform(20, 200),
    "exponential": lambda chance: chance.expovariate(1 / 60) + 1,
}


def inside(draw, count, rounds=400):
    chance, hits = random.Random(7), 0
    for _ in range(rounds):
        found = estimate([Past(draw(chance)) for _ in range(count)], 0, 1, 0)
        hits += found.low <= draw(chance) <= found.high
    return hits / rounds


@pytest.mark.parametrize("name", DRAWS)
def test_about_eight_of_ten_fall_inside(name):
    assert 0.73 <= inside(DRAWS[name], 40) <= 0.88


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_few_data_do_not_promise_too_much(count):
    assert inside(DRAWS["log-normal"], count) >= 0.74


def test_one_past_job_gives_a_wide_range_and_none_gives_none():
    one = estimate([Past(60)], 0, 1, 0)
    many = estimate([Past(60)] * 40, 0, 1, 0)
    assert one.low < 30 and one.high > 120 and one.count == 1
    assert (many.low, many.likely, many.high) == (60, 60, 60)
    assert estimate([], 0, 1, 0) is None


def test_the_same_parameters_count_for_more():
    past = [Past(10, parameters=1) for _ in range(20)] + [Past(1000, parameters=2)] * 20
    assert estimate(past, 1, 1, 0).likely < 20
    assert estimate(past, 2, 1, 0).likely > 500


def test_what_is_left_shrinks_and_never_is_nothing():
    whole = estimate([Past(60 + n) for n in range(30)], 0, 1, 0)
    assert whole.left(30).likely == pytest.approx(whole.likely - 30, abs=2)
    overdue = whole.left(500)
    assert 0 < overdue.low < overdue.likely < overdue.high


def test_words_are_for_people():
    past = estimate([Past(170 + n) for n in range(30)], 0, 1, 0)
    soon, later = Range(low=0, likely=0, high=0), Range(low=60, likely=180, high=300)
    assert forecast(soon, past).words == "starts at once; runs for about 3 min"
    assert forecast(later, None).words == (
        "starts in 60 s to 5 min; nothing like it has run yet, so nobody knows for how long"
    )
    assert forecast(None, past, elapsed=60).words == "about 2 min left"
    assert forecast(None, past, elapsed=60).starts_in is None
    assert [seconds_in_words(s) for s in (4, 89, 120, 5400, 7200, 200_000)] == [
        "4 s",
        "89 s",
        "2 min",
        "1.5 h",
        "2 h",
        "2 d",
    ]


def test_starts_fall_into_the_range_too():
    """Two slots, two running jobs, and a queue behind them; the real durations are drawn anew."""
    chance, draw = random.Random(3), DRAWS["log-normal"]
    past = estimate([Past(draw(chance)) for _ in range(50)], 0, 1, 0)
    capacity = Capacity(2, 2**30, ())
    hits = total = 0
    for _ in range(200):
        jobs = [Candidate(f"J{n:02}", "n", "p", "ann") for n in range(8)]
        running = [Running(Candidate(f"R{n}", "n", "p", "ann"), (), 0.0) for n in range(2)]
        play = Play(
            jobs, {}, Holdings(capacity, Limits(), running), lambda _: past, lambda _: past, 0.0
        )
        future = play.run()
        ends = [draw(chance), draw(chance)]
        for job in jobs:
            begin = min(ends)
            ends[ends.index(begin)] = begin + draw(chance)
            said = future.starts[job.id].range()
            hits += said.low <= begin <= said.high
            total += 1
    assert 0.7 <= hits / total <= 0.97


def test_the_future_knows_dependencies_back_off_and_what_nobody_knows():
    past = estimate([Past(100)] * 30, 0, 1, 0)
    jobs = [
        Candidate("A", "a", "p", "ann"),
        Candidate("B", "b", "p", "ann", after=("A",)),
        Candidate("C", "c", "p", "ann", not_before=50.0),
        Candidate("D", "d", "p", "ann", source="new.py"),
        Candidate("E", "e", "p", "ann"),
    ]

    def duration(job):
        return None if job.source == "new.py" else past

    future = Play(
        jobs,
        {"B": frozenset({"A"})},
        Holdings(Capacity(1, 2**30, ()), Limits()),
        duration,
        lambda one: duration(one.job),
        0.0,
    ).run()
    assert future.order == ["A", "B", "C", "D", "E"]
    assert [future.starts[job].at for job in "ABCD"] == [0, 100, 200, 300]
    assert "E" not in future.starts, "nobody knows when D ends"
