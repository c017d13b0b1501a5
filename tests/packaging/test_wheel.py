"""The wheel, installed by itself, is a working extension, server extension and command.

The libraries come from the environment that runs the tests, by a .pth file; only jupyter-dlsys is
installed from the wheel, so what a source tree would hide shows here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "jupyter_dlsys" / "labextension" / "package.json"

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    assert BUNDLE.exists(), "the Lab extension is not built: make install"
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, ROOT),
        cwd=folder,
        HATCH_JUPYTER_BUILDER_SKIP_NPM="1",
    )
    return next(folder.glob("jupyter_dlsys-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel and, by reference, our libraries."""
    venv = tmp_path_factory.mktemp("venv")
    _run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    python = venv / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(_run(python, "-c", ask, cwd=venv).strip())
    libraries = Path(sysconfig.get_path("purelib"))
    (site / "libraries.pth").write_text(f"{libraries}\n", "utf-8")
    install = (sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps")
    _run(*install, "--no-index", "--ignore-installed", wheel, cwd=venv)
    return venv / "bin"


def test_the_wheel_holds_both_packages_and_the_bundle_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    version = json.loads((ROOT / "package.json").read_text("utf-8"))["version"]
    stem = f"jupyter_dlsys-{version}"
    assert tops == {"jupyter_dlsys", "dlsys_server", f"{stem}.dist-info", f"{stem}.data"}
    assert sum(name.endswith("static/style.js") for name in names) == 1
    assert f"{stem}.dist-info/licenses/LICENSE" in names


def test_both_packages_import_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = "import jupyter_dlsys, dlsys_server as s; print(jupyter_dlsys.__file__, s.__file__)"
    out = _run(installed / "python", "-c", program, cwd=tmp_path).split()
    assert all(Path(name).is_relative_to(installed.parent) for name in out), out


def test_the_version_is_the_one_of_package_json(installed: Path, tmp_path: Path) -> None:
    program = "import jupyter_dlsys; print(jupyter_dlsys.__version__)"
    version = json.loads((ROOT / "package.json").read_text("utf-8"))["version"]
    assert _run(installed / "python", "-c", program, cwd=tmp_path).strip() == version
    assert version in _run(installed / "dlsys", "--version", cwd=tmp_path)


def test_lab_and_server_extension_are_enabled(installed: Path, tmp_path: Path) -> None:
    python = installed / "python"
    lab = _run(python, "-m", "jupyterlab.labextensions", "list", cwd=tmp_path)
    line = next(line for line in lab.splitlines() if "jupyter-dlsys" in line)
    assert "enabled" in line
    assert "OK" in line
    server = _run(python, "-m", "jupyter_server.extension.serverextension", "list", cwd=tmp_path)
    lines = [line for line in server.splitlines() if "jupyter_dlsys" in line]
    assert any("enabled" in line for line in lines), server
    assert any("OK" in line for line in lines), server


def test_mlflow_finds_our_app(installed: Path, tmp_path: Path) -> None:
    program = """
from importlib.metadata import entry_points
(app,) = entry_points(group="mlflow.app", name="dlsys")
assert callable(app.load())
"""
    _run(installed / "python", "-c", program, cwd=tmp_path)
