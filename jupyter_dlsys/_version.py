"""The one version number, from package.json: in a source tree, an editable install, a wheel."""

from __future__ import annotations

import json
from pathlib import Path


def _read() -> str:
    try:
        package = json.loads((Path(__file__).parent.parent / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        package = {}
    if package.get("name") == "jupyter-dlsys":
        return str(package["version"])
    from importlib.metadata import version

    return version("jupyter-dlsys")


__version__ = _read()
