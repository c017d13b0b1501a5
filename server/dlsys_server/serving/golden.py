"""Golden examples: inputs and the answers that the training itself gave, kept with the model.

Replayed through the serving path before traffic moves, they prove that what was trained is what is
served, preprocessing included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_dlsys.contract.deployments import GoldenReport

TOLERANCE = 1e-3
BATCH = 32
Predict = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]


def load(folder: Path, contract: dict[str, Any] | None) -> dict[str, Any] | None:
    """The golden examples of a model folder, or None when it has none."""
    name = str((contract or {}).get("golden") or "golden.json")
    for candidate in (folder / "extra_files" / Path(name).name, folder / Path(name).name):
        if candidate.is_file():
            found = json.loads(candidate.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else None
    return None


def replay(golden: dict[str, Any], predict: Predict) -> GoldenReport:
    """Compare answers now with the answers kept; numbers within 1e-3, all else equal."""
    inputs: dict[str, list[Any]] = golden["inputs"]
    expected: dict[str, list[Any]] = golden["outputs"]
    count = len(next(iter(inputs.values())))
    matched, worst = 0, 0.0
    for start in range(0, count, BATCH):
        part = {name: values[start : start + BATCH] for name, values in inputs.items()}
        answers = predict(part)
        for offset in range(len(next(iter(part.values())))):
            distances = [
                difference(expected[name][start + offset], answers[name][offset])
                for name in expected
                if name in answers
            ]
            distance = max(distances, default=float("inf"))
            matched += distance <= TOLERANCE
            worst = max(worst, distance)
    return GoldenReport(examples=count, matched=matched, max_difference=min(worst, 1e9))


def difference(expected: Any, got: Any) -> float:
    """Largest absolute difference of numbers, nested or not; infinite for any other difference."""
    if isinstance(expected, bool) or isinstance(got, bool) or isinstance(expected, str):
        return 0.0 if expected == got else float("inf")
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return abs(float(expected) - float(got))
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return max((difference(e, g) for e, g in zip(expected, got, strict=True)), default=0.0)
    return 0.0 if expected == got else float("inf")


def columns(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Rows as the gateway answers them, as columns by output name."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in (row if isinstance(row, dict) else {"output": row}).items():
            found.setdefault(name, []).append(value)
    return found
