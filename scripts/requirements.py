"""Print the requirements of this project and of the named extras, one a line, for pip's -r.

`pip install -e .` would need them all before it could build anything; this way the libraries
come first and the package itself is installed last, without a second download.
"""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # pip carries the backport
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def main(extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    print("\n".join(sorted(wanted)))


if __name__ == "__main__":
    main(sys.argv[1:])
