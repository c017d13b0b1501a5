"""The lock of an environment: what code was written with, or runs in."""

from __future__ import annotations

import platform
import re
from importlib import metadata
from typing import Any


def environment_lock() -> dict[str, Any]:
    """Python, platform and installed distributions of this interpreter, in a fixed order.

    Returns:
        {"python", "implementation", "platform", "packages": ["name==version", …]}
    """
    packages = {
        f"{re.sub(r'[-_.]+', '-', name).lower()}=={found.version}"
        for found in metadata.distributions()
        if (name := found.metadata["Name"])
    }
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()}-{platform.machine()}".lower(),
        "packages": sorted(packages),
    }
