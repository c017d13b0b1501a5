"""What the packages import is declared, so that `pip install` brings it."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="not applicable: Python 3.10 without tomli")

ROOT = Path(__file__).resolve().parents[2]
OWN = {"jupyter_dlsys", "dlsys_server"}
# Always there together with a declared one, and made to be used so.
BROUGHT_ALONG = {
    "anyio": "starlette",
    "click": "typer",
    "flask": "mlflow",
    "ipython": "ipywidgets",
    "jupyter-client": "jupyter_server",
    "nbclient": "papermill",
    "pydantic-core": "pydantic",
    "pyzmq": "ipykernel",
    "tornado": "jupyter_server",
    "traitlets": "jupyter_server",
    "werkzeug": "mlflow",
}
# Used when the person has them: readers of a dataset, the kinds of model that can be served.
OPTIONAL = {"datasets", "pandas", "pillow", "polars", "torch", "scikit-learn"}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    names = {_canonical(re.match(r"[\w.-]+", line).group()) for line in lines}  # type: ignore[union-attr]
    return names | {n for n, with_ in BROUGHT_ALONG.items() if _canonical(with_) in names}


def _imported(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            found |= {name.partition(".")[0]: path.relative_to(ROOT) for name in names}
    return {n: p for n, p in found.items() if n not in sys.stdlib_module_names and n not in OWN}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("jupyter_dlsys", ("server",)), ("server/dlsys_server", ("server",))],
)
def test_imports_are_declared(folder: str, extras: tuple[str, ...]) -> None:
    distributions = packages_distributions()
    declared = _declared(*extras) | OPTIONAL
    undeclared = [
        f"{path}: import {module}"
        for module, path in sorted(_imported(ROOT / folder).items())
        if not {_canonical(d) for d in distributions.get(module, [module])} & declared
    ]
    assert undeclared == []


def test_what_people_install_needs_only_the_base() -> None:
    """Without the extra `server`: Lab, the SDK and the command line, but not a job's runtime."""
    distributions = packages_distributions()
    declared = _declared() | OPTIONAL
    undeclared = [
        f"{path}: import {module}"
        for module, path in sorted(_imported(ROOT / "jupyter_dlsys").items())
        if "runtime" not in path.parts
        and not {_canonical(d) for d in distributions.get(module, [module])} & declared
    ]
    assert undeclared == []
