"""Write docs/settings.md from the help on the platform's settings; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from dlsys_server.core.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """# Settings

Made from the code by `make fix`.

## The platform
Environment variables, read once when the platform starts.

| variable | default | what it does |
|---|---|---|
"""
TAIL = """
## The doors: Lab, the SDK, the magics and the command line

| variable | default | what it does |
|---|---|---|
| `DLSYS_HOME` | in Jupyter's data folder | Data folder; a platform starts there when none runs. |
| `DLSYS_URL` | none | Use the platform at this address instead of one of our own. |
| `DLSYS_TOKEN` | `JUPYTERHUB_API_TOKEN` | What to show to the platform at `DLSYS_URL`. |
| `DLSYS_PROJECT` | `default` | The project to work in. |
"""


def render() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = (
            "required" if default is PydanticUndefined else f"`{default}`" if str(default) else ""
        )
        help_text = (field.description or "").replace("|", "\\|").replace("<home>", "`DLSYS_HOME`")
        rows.append(f"| `DLSYS_{name.upper()}` | {shown} | {help_text} |\n")
    return HEAD + "".join(rows) + TAIL


def main(arguments: list[str]) -> int:
    text = render()
    if "--check" not in arguments:
        TARGET.write_text(text, "utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text("utf-8") == text:
        return 0
    print("docs/settings.md is stale: make fix", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
