"""The documentation keeps up with the code."""

from __future__ import annotations

import json
import re
import sys
from itertools import chain
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="not applicable: Python 3.10 without tomli")

ROOT = Path(__file__).resolve().parents[2]


def _python_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w.-]+", line).group() for line in lines}  # type: ignore[union-attr]
    return names - {project["name"]}


def _npm_dependencies() -> set[str]:
    files = [ROOT / "package.json", ROOT / "hub-config" / "package.json"]
    packages = [json.loads(path.read_text("utf-8")) for path in files]
    return {n for p in packages for n in {**p["dependencies"], **p.get("devDependencies", {})}}


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    named = set(re.findall(r"`([^`]+)`", text))
    wanted = _python_dependencies() | _npm_dependencies()
    assert sorted(wanted - named) == []


def test_every_setting_is_documented() -> None:
    from dlsys_server.core.settings import Settings

    text = "\n".join(p.read_text("utf-8") for p in (ROOT / "docs").rglob("*.md"))
    prefix = Settings.model_config.get("env_prefix", "")
    names = {(prefix + name).upper() for name in Settings.model_fields}
    undocumented = sorted(name for name in names if not re.search(rf"\b{name}\b", text))
    assert undocumented == []


def test_every_make_target_has_a_line_of_help() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for target in ("install", "demo", "test", "lab", "hub", "check", "fix", "bench", "clean"):
        assert re.search(rf"^{target}:.*## \S", text, re.MULTILINE), target
