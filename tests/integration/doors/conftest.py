"""Fixtures of the doors: one data folder, platform and Jupyter server for the tests of a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dlsys.client.client import Client, connect
from tests.support.doors import Lab, end_platform, start_lab
from tests.support.processes import MARK

CLEAN = ("DLSYS_", "MLFLOW_", "JUPYTER", "JPY_")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data folder whose platform is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        path = Path(folder) / "home"
        yield path
        end_platform(path)


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Client]:
    """A client of that folder; the first call starts the platform."""
    with connect(home=home) as found:
        yield found


@pytest.fixture(scope="module")
def environment(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A private environment for programs: nothing of the person who runs the tests."""
    private = tmp_path_factory.mktemp("private")
    found = {k: v for k, v in os.environ.items() if not k.startswith(CLEAN) or k == MARK}
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    for name in names:
        (private / name.lower()).mkdir(exist_ok=True)
        found[name] = str(private / name.lower())
    return {**found, "DLSYS_HOME": str(home), "COLUMNS": "120"}


@pytest.fixture(scope="module")
def lab(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Jupyter server for the tests of a file."""
    found = start_lab(environment, tmp_path_factory.mktemp("lab"))
    yield found
    found.process.terminate()
    found.process.wait(20)
