"""Real model folders, made once; gateways in private folders."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import models
from .harness import Gateway, deployment, version

Starter = Callable[[], Gateway]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's and torch's, not ours
        return {
            "angry": models.words(root / "angry" / "1", 0),
            "calm": models.words(root / "calm" / "1", 1),
            "digits": models.digits(root / "digits" / "1"),
            "doubler": models.doubler(root / "doubler" / "1"),
            "frozen": models.frozen_batch(root / "frozen" / "1"),
            "adder": models.adder(root / "adder" / "1"),
            "python": models.python_model(root / "python" / "1"),
            "sklearn": models.sklearn_pickle(root / "sklearn" / "1"),
        }


@pytest.fixture(scope="session")
def serving(folders: dict[str, Path]) -> Iterator[Gateway]:
    """A gateway that serves one version of each kind of model, shared by all tests."""
    gateway = _new().start()
    kinds = ("angry", "digits", "frozen", "adder")
    gateway.apply(**{kind: deployment("1", {"1": version(folders[kind])}) for kind in kinds})
    yield gateway
    gateway.stop()
    shutil.rmtree(gateway.folder.parent)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """An empty gateway of one test."""
    found = _new().start()
    yield found
    found.stop()
    shutil.rmtree(found.folder.parent)


def _new() -> Gateway:
    folder = Path(tempfile.mkdtemp(prefix="gw")) / "g"
    folder.mkdir(mode=0o700)
    return Gateway(folder)
