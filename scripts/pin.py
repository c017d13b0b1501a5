"""Write constraints.txt: exact versions of everything in the running environment, but ourselves.

Local builds lose their suffix (`torch==2.13.0+cpu` becomes `torch==2.13.0`), so that the file
says nothing about where a package came from.
"""

from __future__ import annotations

import re
from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
NOT_PINNED = {"jupyter-dlsys", "pip", "setuptools", "uv", "wheel"}
HEADER = "# Exact versions that the tests run with. Made by `make pin`; used by `make install`.\n"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    pins = {canonical(d.metadata["Name"]): d.version.split("+")[0] for d in distributions()}
    lines = [f"{name}=={pins[name]}\n" for name in sorted(pins) if name not in NOT_PINNED]
    TARGET.write_text(HEADER + "".join(lines), "utf-8")


if __name__ == "__main__":
    main()
