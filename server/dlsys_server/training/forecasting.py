"""How long a job takes, from how long jobs like it took: an honest range, and its words. Pure.

Method: with many past jobs the weighted quantiles of what they took; with few the prediction
interval of a log-normal (Student's t with n - 1 degrees of freedom), whose spread is mixed with a
prior of two pseudo-observations, so that one past job gives a wide range instead of none.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import NormalDist

from jupyter_dlsys.contract.jobs import Forecast, Range

POINTS = 20
ENOUGH = 15.0
"""Effective number of past jobs from which their own quantiles are used."""
PRIOR_SPREAD, PRIOR_COUNT = 0.5, 2.0
SAME_PARAMETERS, SAME_RESOURCES, AGEING = 4.0, 2.0, 0.97
SHORTEST_SECONDS = 0.05


@dataclass(frozen=True)
class Past:
    """A job that succeeded: seconds it ran, and what it was given."""

    seconds: float
    parameters: int = 0
    cpus: float = 1.0
    gpus: int = 0


@dataclass(frozen=True)
class Estimate:
    """A duration as equally likely values in seconds, ascending, from `count` past jobs."""

    values: tuple[float, ...]
    count: int = 0

    @cached_property
    def low(self) -> float:
        """Exceeded by 9 of 10."""
        return self._at(0.1)

    @cached_property
    def high(self) -> float:
        """Exceeded by 1 of 10."""
        return self._at(0.9)

    @cached_property
    def likely(self) -> float:
        """The middle."""
        return self._at(0.5)

    @cached_property
    def mean(self) -> float:
        """The average; the last twentieth, which one outlier may be, counts within bounds."""
        return sum(min(value, 1.5 * self.high) for value in self.values) / len(self.values)

    def range(self) -> Range:
        """8 of 10 fall into it."""
        return Range(low=self.low, likely=self.likely, high=self.high)

    def left(self, elapsed: float) -> Estimate:
        """What is left of a job that has run for `elapsed` seconds.

        Of one that ran longer than all before, nothing is known but that it goes on: then the tail
        of a Pareto distribution (shape 2), where what is left grows with what has passed.
        """
        rest = self.values[bisect_right(self.values, elapsed) :]
        if len(rest) > 1:
            return Estimate(tuple(_spread([value - elapsed for value in rest])), self.count)
        tail = [max(elapsed, 1.0) * ((1 - p) ** -0.5 - 1) for p in _parts()]
        return Estimate(tuple(tail), self.count)

    def _at(self, part: float) -> float:
        return _quantile(self.values, part)


def estimate(past: Sequence[Past], parameters: int, cpus: float, gpus: int) -> Estimate | None:
    """From past jobs, newest first; those with the same parameters and resources count for more.

    None when there is no past.
    """
    if not past:
        return None
    weights = [
        AGEING**age
        * (SAME_PARAMETERS if one.parameters == parameters else 1.0)
        * (SAME_RESOURCES if (one.cpus, one.gpus) == (cpus, gpus) else 1.0)
        for age, one in enumerate(past)
    ]
    seconds = [max(SHORTEST_SECONDS, one.seconds) for one in past]
    effective = sum(weights) ** 2 / sum(w * w for w in weights)
    values = (
        _empirical(seconds, weights)
        if effective >= ENOUGH
        else _log_normal(seconds, weights, effective)
    )
    return Estimate(tuple(values), len(past))


def _empirical(seconds: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Quantiles at i / (n + 1), so that 8 of 10 new values fall between those at 0.1 and 0.9."""
    total = sum(weights) * (1 + 1 / len(weights))
    known: list[tuple[float, float]] = []
    so_far = 0.0
    for value, weight in sorted(zip(seconds, weights, strict=True)):
        so_far += weight
        known.append((so_far / total, value))
    return [_between(known, part) for part in _parts()]


def _between(known: Sequence[tuple[float, float]], part: float) -> float:
    place = bisect_right(known, (part, math.inf))
    if place == 0:
        return known[0][1]
    if place == len(known):
        return known[-1][1]
    (before, low), (after, high) = known[place - 1], known[place]
    return low + (high - low) * (part - before) / (after - before)


def _log_normal(
    seconds: Sequence[float], weights: Sequence[float], effective: float
) -> list[float]:
    total = sum(weights)
    logs = [math.log(value) for value in seconds]
    middle = sum(w * x for w, x in zip(weights, logs, strict=True)) / total
    spread = sum(w * (x - middle) ** 2 for w, x in zip(weights, logs, strict=True)) / total
    free = effective - 1 + PRIOR_COUNT
    variance = (spread * effective + PRIOR_COUNT * PRIOR_SPREAD**2) / free
    scale = math.sqrt(variance * (1 + 1 / effective))
    return [math.exp(middle + scale * _student(part, free)) for part in _parts()]


def _student(part: float, free: float) -> float:
    """Quantile of Student's t (M. Abramowitz, I. Stegun, Handbook of Mathematical Functions,
    26.7.5)."""
    z = NormalDist().inv_cdf(part)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / free + second / free**2 + third / free**3


@cache
def _parts() -> tuple[float, ...]:
    return tuple((i + 0.5) / POINTS for i in range(POINTS))


def _spread(values: Sequence[float]) -> list[float]:
    return [_quantile(values, part) for part in _parts()]


def _quantile(values: Sequence[float], part: float) -> float:
    """Of equally likely ascending values, each in the middle of its part."""
    place = min(max(part * len(values) - 0.5, 0.0), len(values) - 1.0)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def forecast(
    starts: Range | None, duration: Estimate | None, elapsed: float | None = None
) -> Forecast:
    """For people: when a waiting job starts and how long it runs, or what is left of a running one.

    Args:
        starts: seconds from now; None where it runs already or nothing is known.
        elapsed: seconds that it has run; None when it waits.
    """
    runs = None if duration is None else duration.range()
    if elapsed is not None:
        words = "has no past to tell how long it runs"
        if duration is not None:
            left = duration.left(elapsed)
            runs = _later(left.range(), elapsed)
            words = f"{_about(left.range(), seconds_in_words)} left"
    else:
        begin = "starts when others end, nobody knows when"
        if starts is not None:
            soon = starts.high < 1
            begin = "starts at once" if soon else f"starts in {_about(starts, seconds_in_words)}"
        runs_for = "nothing like it has run yet, so nobody knows for how long"
        if runs is not None:
            runs_for = f"runs for {_about(runs, seconds_in_words)}"
        words = f"{begin}; {runs_for}"
    return Forecast(
        starts_in=starts,
        runs_for=runs,
        based_on=0 if duration is None else duration.count,
        words=words,
    )


def _later(range: Range, by: float) -> Range:
    return Range(low=range.low + by, likely=range.likely + by, high=range.high + by)


def _about(range: Range, say: Callable[[float], str]) -> str:
    """'about 3 min', or '1 to 5 min' when the range is wide."""
    low, high = say(range.low), say(range.high)
    if low == high or range.high <= max(1.5 * range.low, 1.0):
        return f"about {say(range.likely)}"
    same_unit = low.rpartition(" ")[2] == high.rpartition(" ")[2]
    return f"{low.rpartition(' ')[0] if same_unit else low} to {high}"


def seconds_in_words(value: float) -> str:
    """'4 s', '3 min', '2.5 h', '4 d'."""
    for unit, size, until in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 36 * 3600)):
        if value < until:
            amount = value / size
            text = f"{amount:.0f}" if amount >= 10 or unit != "h" else f"{amount:.1f}"
            return f"{text.removesuffix('.0')} {unit}"
    return f"{value / 86400:.0f} d"
