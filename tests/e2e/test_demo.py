"""The whole story, as a person types it: `dlsys demo` on a fresh workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import end_leftovers

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
DLSYS = Path(sys.executable).parent / "dlsys"
MARGIN = 0.3


@pytest.fixture(scope="module")
def workspace(session_root: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="d", dir=session_root))
    yield folder
    left = end_leftovers(folder)
    shutil.rmtree(folder, ignore_errors=True)
    assert not left, "the demo left processes behind:\n" + "\n".join(left)


def _demo(workspace: Path) -> subprocess.CompletedProcess[str]:
    command = [
        *(str(DLSYS), "demo"),
        *("--workspace", str(workspace), "--down", "--json"),
    ]
    ours = {k: v for k, v in os.environ.items() if k != "DLSYS_WARM_IMPORTS"}  # here as for people
    return subprocess.run(command, cwd=ROOT, env=ours, capture_output=True, text=True, timeout=850)


@pytest.fixture(scope="module")
def summary(workspace: Path) -> dict[str, Any]:
    done = _demo(workspace)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_step_held(summary: dict[str, Any]) -> None:
    assert summary["ok"] is True
    assert summary["error"] is None
    assert len(summary["steps"]) == 5
    assert all(step["checks"] and step["seconds"] > 0 for step in summary["steps"])


def test_data_is_versioned(summary: dict[str, Any]) -> None:
    versions = {(d["name"], d["version"]): d for d in summary["datasets"]}
    first, second = versions["kaomoji", 1], versions["kaomoji", 2]
    assert first["labels"] == ["angry", "happy", "sad"]
    assert set(second["labels"]) == {*first["labels"], "surprised"}
    assert second["labels"][:3] == first["labels"], "label ids moved"
    assert second["rows"] > first["rows"] > 5000
    assert first["hash"] != second["hash"]
    assert versions["digits", 1]["rows"] == 1797


def test_models_are_much_better_than_the_majority(summary: dict[str, Any]) -> None:
    models = {(m["name"], m["version"]): m for m in summary["models"]}
    assert set(models) == {("kaomoji", 1), ("kaomoji", 2), ("digits", 1)}
    for model in models.values():
        assert model["accuracy"] > model["baseline"] + MARGIN
        assert model["macro_f1"] > 0.8
    snapshots = {model["snapshot"] for model in models.values()}
    assert len(snapshots) == 3
    assert models["kaomoji", 2]["dataset"] == "kaomoji@v2"


def test_what_was_trained_is_what_is_served(summary: dict[str, Any]) -> None:
    replays = summary["endpoint"]["golden"]
    assert [replay["version"] for replay in replays] == [1, 2]
    for replay in replays:
        assert replay["matched"] == replay["examples"] == 32
        assert replay["max_difference"] <= 1e-3


def test_the_endpoint_follows_the_alias_without_a_failed_request(summary: dict[str, Any]) -> None:
    endpoint = summary["endpoint"]
    assert endpoint["versions"] == [1, 2]
    assert endpoint["requests"] > 10
    assert endpoint["failures"] == []


def test_the_endpoint_knows_the_new_label(summary: dict[str, Any]) -> None:
    new = summary["new_label"]
    assert new["label"] == "surprised"
    assert new["texts"] >= 100
    assert new["before"] == 0
    assert new["after"] > new["texts"] / 2
    assert any(a["second"] == "surprised" == a["true"] for a in summary["answers"])
    assert all(a["first"] != "surprised" for a in summary["answers"])


def test_lineage_leads_back_to_the_data(summary: dict[str, Any]) -> None:
    for version in (1, 2):
        found = summary["lineage"][f"kaomoji@v{version}"]
        nodes = set(found["nodes"])
        model = f"dlsys://default/model_version/kaomoji@v{version}"
        data = f"dlsys://default/dataset_version/kaomoji@v{version}"
        assert {model, data} <= nodes
        assert data in _upstream(model, found["edges"])
    assert (
        "dlsys://default/dataset_version/kaomoji@v2"
        not in summary["lineage"]["kaomoji@v1"]["nodes"]
    )


def _upstream(node: str, edges: list[list[str]]) -> set[str]:
    found: set[str] = set()
    frontier = [node]
    while frontier:
        target = frontier.pop()
        for source in {s for s, _, t in edges if t == target} - found:
            found.add(source)
            frontier.append(source)
    return found


def test_nothing_runs_after_down(summary: dict[str, Any]) -> None:
    home = Path(summary["home"])
    assert home.is_dir()
    assert not (home / "platform.json").exists()


def test_a_demo_that_cannot_run_says_what_to_do(tmp_path: Path) -> None:
    command = [
        *(str(DLSYS), "demo"),
        *("--workspace", str(tmp_path / "w"), "--examples", str(tmp_path)),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "train_text.ipynb" in said
    assert "--examples DIR" in said
    assert not (tmp_path / "w").exists()
