"""A model that could run code is not loaded on its own say-so."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from .harness import Gateway, deployment, version
from .models import Marker

pytestmark = pytest.mark.integration


def test_what_needs_trust(gateway: Gateway, folders: dict[str, Path], tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    pickled = poisoned_pickle(folders["doubler"], tmp_path / "pickled", marker)
    graph = poisoned_pt2(folders["doubler"], tmp_path / "graph", marker)
    answer = gateway.apply(
        sk=deployment("1", {"1": version(folders["sklearn"])}),
        python=deployment("1", {"1": version(folders["python"])}),
        pickled=deployment("1", {"1": version(pickled)}),
        graph=deployment("1", {"1": version(graph)}),
        trusted=deployment("1", {"1": version(folders["sklearn"], trust="code")}),
    )
    assert not marker.exists()
    assert set(answer["failed"]) == {"sk", "python", "pickled", "graph"}
    for name in ("sk", "python", "pickled"):
        assert "trust=code" in answer["failed"][name]
    assert gateway.status("sk")["state"] == "failed"
    refused = gateway.post("/deployments/sk/invocations", {"instances": [{"age": 1.0, "count": 1}]})
    assert refused.status_code == 503
    assert "trust=code" in refused.json()["detail"]

    rows = [{"age": 1.0, "count": 1}, {"age": 4, "count": 0}]
    good = gateway.post("/deployments/trusted/invocations", {"dataframe_records": rows})
    assert good.json()["predictions"] == [0, 1]
    wrong = gateway.post(
        "/deployments/trusted/invocations", {"inputs": {"age": [1], "count": [0.5]}}
    )
    assert wrong.json()["field"] == "count"


def poisoned_pickle(clean: Path, path: Path, marker: Path) -> Path:
    shutil.copytree(clean, path)
    (path / "data" / "model.pt2").unlink()
    (path / "data" / "pickle_module_info.txt").write_text("mlflow.pytorch.pickle_module")
    (path / "data" / "model.pth").write_bytes(_poison(marker))
    return path


def poisoned_pt2(clean: Path, path: Path, marker: Path) -> Path:
    """A graph whose sample inputs are a pickle that runs code when torch loads it."""
    shutil.copytree(clean, path)
    target = path / "data" / "model.pt2"
    with zipfile.ZipFile(target) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    samples = [name for name in entries if "sample_inputs" in name]
    assert samples
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, _poison(marker) if name in samples else content)
    return path


def _poison(marker: Path) -> bytes:
    """Bytes of torch.save; proved to be poisonous."""
    file = marker.parent / "poison.pt"
    torch.save(Marker(marker), file)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(file, weights_only=True)
    torch.load(file, weights_only=False)
    assert marker.exists()
    marker.rmdir()
    return file.read_bytes()
