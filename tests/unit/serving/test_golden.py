"""Golden examples: what counts as the same answer."""

from __future__ import annotations

import math

import pytest

from dlsys_server.serving.golden import columns, difference, replay


@pytest.mark.parametrize(
    ("expected", "got", "distance"),
    [
        ("a", "a", 0),
        ("a", "b", math.inf),
        (1, 1.25, 0.25),
        ([0.1, [0.2]], [0.1, [0.5]], pytest.approx(0.3)),
        ([1, 2], [1], math.inf),
        (True, 1, 0),
        ("1", 1, math.inf),
        (None, None, 0),
    ],
)
def test_difference(expected, got, distance):
    assert difference(expected, got) == distance


def test_replay_counts_what_matches_in_batches():
    golden = {
        "inputs": {"text": [f"t{i}" for i in range(40)]},
        "outputs": {"label": ["x"] * 40, "probabilities": [[0.5, 0.5]] * 40},
    }
    sizes = []

    def predict(inputs):
        sizes.append(len(inputs["text"]))
        wrong = "t39" in inputs["text"]
        count = len(inputs["text"])
        return {
            "label": ["x"] * (count - 1) + ["y" if wrong else "x"],
            "probabilities": [[0.5, 0.5004]] * count,
        }

    report = replay(golden, predict)
    assert (report.examples, report.matched) == (40, 39)
    assert max(sizes) <= 32


def test_an_output_that_is_missing_is_no_match():
    golden = {"inputs": {"x": [1]}, "outputs": {"label": ["a"]}}
    assert replay(golden, lambda _: {}).matched == 0


def test_rows_become_columns():
    assert columns([{"a": 1}, {"a": 2}]) == {"a": [1, 2]}
    assert columns([[1, 2]]) == {"output": [[1, 2]]}
