"""`import jupyter_dlsys` is cheap: every notebook and every Lab start pays for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"tornado", "ipywidgets", "IPython", "pyarrow", "httpx", "numpy", "pandas", "torch"}
HEAVY |= {"mlflow", "fastapi", "sqlalchemy", "jupyter_server", "typer", "rich"}
CPU_SECONDS = 0.15

PROGRAM = """
import json, sys, time
before = set(sys.modules)
start = time.process_time()
import {module}
spent = time.process_time() - start
tops = sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})
print(json.dumps({{"cpu": spent, "modules": tops}}))
"""


def _import(module: str) -> dict[str, object]:
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_the_package_loads_nothing_heavy() -> None:
    assert set(_import("jupyter_dlsys")["modules"]) & HEAVY == set()


def test_the_package_costs_little_time() -> None:
    fastest = min(float(_import("jupyter_dlsys")["cpu"]) for _ in range(3))
    assert fastest < CPU_SECONDS


@pytest.mark.parametrize("module", ["jupyter_dlsys.contract"])
def test_the_contract_needs_no_interactive_library(module: str) -> None:
    """The platform imports it: it must not bring the notebook's libraries with it."""
    absent = {"tornado", "ipywidgets", "IPython", "httpx", "pandas", "torch", "fastapi"}
    assert set(_import(module)["modules"]) & absent == set()


def test_the_control_plane_loads_no_model_library() -> None:
    absent = {"mlflow", "torch", "pandas", "polars", "sklearn", "papermill", "IPython", "psycopg"}
    assert set(_import("dlsys_server.app")["modules"]) & absent == set()


def test_public_names_are_there() -> None:
    import jupyter_dlsys

    missing = [name for name in jupyter_dlsys.__all__ if not hasattr(jupyter_dlsys, name)]
    assert missing == []
