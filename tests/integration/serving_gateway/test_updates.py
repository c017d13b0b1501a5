"""Versions come and go under load: nobody notices but by the version in the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .harness import Gateway, Load, deployment, output, texts, version

pytestmark = pytest.mark.integration


async def test_flip_hold_replay_and_roll_back(gateway: Gateway, folders: dict[str, Path]) -> None:
    one, two = version(folders["angry"]), version(folders["calm"])
    assert gateway.apply(mood=deployment("1", {"1": one}))["failed"] == {}
    first = gateway.status("mood")
    assert (first["state"], first["version"]) == ("ready", "1")

    # On hold: version 2 is warm and can be asked by the platform; callers still get version 1.
    gateway.apply(mood=deployment("2", {"1": one, "2": {**two, "hold": True}}, previous="1"))
    assert output(gateway.post("/v2/models/mood/infer", texts("a")), "label") == ["angry"]
    golden = json.loads((folders["calm"] / "extra_files" / "golden.json").read_text())
    asked = {"deployment": "mood", "version": "2", "inputs": golden["inputs"]}
    replayed = gateway.control("POST", "/replay", asked).json()
    assert replayed["outputs"]["label"] == golden["outputs"]["label"]
    assert replayed["model_version"] == "2"

    path = "/v2/models/mood/infer"
    async with Load(gateway.url, path, texts("a")) as load:
        await load.reach(50)
        gateway.deployments["mood"] = deployment("2", {"1": one, "2": two}, previous="1")
        gateway.write()
        while "2" not in load.versions[-1]:
            await load.reach(10)
        await load.reach(50)
    assert load.failures == []
    assert sorted(set(load.versions)) == ["1", "2"]
    said = {(body["model_version"], body["outputs"][0]["data"][0]) for body in load.bodies}
    assert said == {("1", "angry"), ("2", "calm")}

    gateway.apply()
    assert len(gateway.workers()) == 1
    explicit = gateway.post("/v2/models/mood/versions/2/infer", texts("a"))
    assert output(explicit, "label") == ["calm"]
    assert gateway.post("/v2/models/mood/versions/1/infer", texts("a")).status_code == 503

    back = gateway.apply(mood=deployment("1", {"1": one, "2": two}, previous="2"))
    assert back["deployments"]["mood"]["version"] == "1"
    assert output(gateway.post(path, texts("a")), "label") == ["angry"]


async def test_bad_version_leaves_the_old_one_serving(
    gateway: Gateway, folders: dict[str, Path], tmp_path: Path
) -> None:
    one = version(folders["angry"])
    gateway.apply(mood=deployment("1", {"1": one}))
    pid = gateway.status("mood")["pid"]
    missing = version(tmp_path / "nothing")
    answer = gateway.apply(mood=deployment("2", {"1": one, "2": missing}, previous="1"))
    assert "no model folder" in answer["failed"]["mood"]
    status = gateway.status("mood")
    assert (status["state"], status["version"], status["pid"]) == ("degraded", "1", pid)
    assert "version 2: " in status["message"]
    assert gateway.post("/v2/models/mood/infer", texts("a")).headers["x-dlsys-version"] == "1"

    (gateway.folder / "routes.json").write_text("{broken")
    broken = gateway.control("POST", "/apply")
    assert broken.status_code == 400
    assert "routes.json" in broken.json()["error"]
    assert gateway.post("/v2/models/mood/infer", texts("a")).status_code == 200

    del gateway.deployments["mood"]
    assert gateway.apply()["deployments"] == {}
    assert gateway.workers() == []
    assert gateway.post("/v2/models/mood/infer", texts("a")).status_code == 404
