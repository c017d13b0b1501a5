"""Size of the Lab extension: gzipped JavaScript that Lab loads at its start, and in all."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from benchmarks.figures import Figure, Target, figure, missing

BUNDLE = Path(__file__).resolve().parents[1] / "jupyter_dlsys" / "labextension"
AT_START, IN_ALL = 15.0, 200.0
"""Limits in kB (1000 bytes)."""


def run(quick: bool) -> list[Figure]:  # noqa: ARG001  exact in no time
    """Two sizes beside their limits."""
    if not (BUNDLE / "package.json").exists():
        return [missing("bundle", "the Lab extension is not built: make install")]
    start = sum(map(_kilobytes, _loaded_at_start()))
    everything = sum(map(_kilobytes, (BUNDLE / "static").glob("*.js")))
    return [
        figure("bundle at Lab's start, gz", "kB", [start], [AT_START], "limit",
               Target("ours", high=AT_START)),
        figure("bundle in all, gz", "kB", [everything], [IN_ALL], "limit",
               Target("ours", high=IN_ALL)),
    ]  # fmt: skip


def _loaded_at_start() -> set[Path]:
    """The entry, and the chunks that its modules `./extension` and `./style` consist of."""
    package = json.loads((BUNDLE / "package.json").read_text("utf-8"))
    entry = BUNDLE / str(package["jupyterlab"]["_build"]["load"])
    exposed = re.findall(r'"\./(?:extension|style)":\(\)=>(.*?)\.then', entry.read_text("utf-8"))
    ids = {name for part in exposed for name in re.findall(r"\.e\((?:\"|')?(\w+)", part)}
    if not ids:
        raise ValueError("the entry of the bundle has another form than expected")
    return {entry, *(path for name in ids for path in entry.parent.glob(f"{name}.*js"))}


def _kilobytes(path: Path) -> float:
    return len(gzip.compress(path.read_bytes(), 9)) / 1000
