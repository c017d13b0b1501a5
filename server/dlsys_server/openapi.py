"""`python -m dlsys_server.openapi [--check]`: writes openapi.json, or fails when it is stale."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from dlsys_server.core.settings import Settings

from .app import create_app

FILE = Path("openapi.json")


def document() -> str:
    """The OpenAPI document of this program."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(home=Path(folder)), "unused", version="1")
        return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(prog="dlsys-openapi")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = document()
    if not check:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        sys.exit("openapi.json is stale: run `make fix`")


if __name__ == "__main__":
    main()
