"""The Lab extension is light: little at Lab's start, the rest only when a view needs it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

BUNDLE = Path(__file__).resolve().parents[2] / "jupyter_dlsys" / "labextension"
AT_START, IN_ALL = 15_000, 215_000
"""Bytes of gzipped JavaScript."""


def _gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def _entry() -> Path:
    assert (BUNDLE / "package.json").exists(), "the Lab extension is not built: make install"
    package = json.loads((BUNDLE / "package.json").read_text("utf-8"))
    return BUNDLE / str(package["jupyterlab"]["_build"]["load"])


def _loaded_at_start() -> set[Path]:
    """The entry, and the chunks that its modules `./extension` and `./style` consist of."""
    entry = _entry()
    exposed = re.findall(r'"\./(?:extension|style)":\(\)=>(.*?)\.then', entry.read_text("utf-8"))
    assert len(exposed) == 2, "the bundler's output looks different: adapt this test"
    ids = {i for part in exposed for i in re.findall(r"\.e\((?:\"|')?(\w+)", part)}
    assert ids
    return {entry, *(p for i in ids for p in entry.parent.glob(f"{i}.*js"))}


def test_little_is_loaded_at_start() -> None:
    files = {path.name: _gzipped(path) for path in _loaded_at_start()}
    assert sum(files.values()) < AT_START, files


def test_the_bundle_is_small() -> None:
    files = {path.name: _gzipped(path) for path in (BUNDLE / "static").glob("*.js")}
    assert sum(files.values()) < IN_ALL, files
