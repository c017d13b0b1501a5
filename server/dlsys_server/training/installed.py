"""What is installed where jobs run: kernels, and modules of the platform's own environment."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from jupyter_core.paths import jupyter_path


@dataclass(frozen=True)
class Kernel:
    """An installed kernel; `own` when it runs in the platform's own environment."""

    name: str
    language: str
    own: bool


class Installed:
    """As one look finds it: a new one sees what was installed meanwhile."""

    @cached_property
    def kernels(self) -> dict[str, Kernel]:
        """Installed kernels by name, as jupyter_client would find them."""
        found: dict[str, Kernel] = {}
        for folder in jupyter_path("kernels"):
            for spec in sorted(Path(folder).glob("*/kernel.json")):
                name = spec.parent.name.lower()
                if name not in found and (kernel := _kernel(name, spec)):
                    found[name] = kernel
        if _exists("ipykernel"):
            found["python3"] = Kernel("python3", "python", own=True)
        return found

    def has(self, module: str) -> bool:
        """Whether a top-level module can be imported; it is not imported."""
        return module in sys.builtin_module_names or _exists(module)

    @cached_property
    def names(self) -> list[str]:
        """Names of installed modules and packages, for guesses."""
        folder = Path(sysconfig.get_path("purelib"))
        entries = os.listdir(folder) if folder.is_dir() else []
        return sorted({entry.partition(".")[0] for entry in entries if entry[:1].isalpha()})


def _kernel(name: str, spec: Path) -> Kernel | None:
    try:
        described = json.loads(spec.read_text("utf-8"))
        program = str(described["argv"][0])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    return Kernel(name, str(described.get("language", "")).lower(), program == sys.executable)


def _exists(module: str) -> bool:
    places = [entry for entry in sys.path if entry and entry != os.getcwd()]
    try:
        spec = PathFinder.find_spec(module, places)
        if spec is None or spec.loader is None:
            spec = find_spec(module) or spec  # finders of editable installs
    except (ImportError, ValueError):
        return False
    return spec is not None and (spec.loader is not None or _is_namespace(module))


def _is_namespace(module: str) -> bool:
    """A folder without `__init__.py` is a package only where packages are installed."""
    return (Path(sysconfig.get_path("purelib")) / module).is_dir()
