"""Entry point: `python -m dlsys_server.serving.gateway --folder FOLDER [--port N]`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from dlsys_server.serving.gateway.process import Options, run


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="dlsys-gateway", description="Serves predictions.")
    parser.add_argument("--folder", type=Path, required=True, help="holds routes.json")
    parser.add_argument("--port", type=int, default=0, help="0: the last one, else any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--no-spare", action="store_true", help="keep no warm worker in reserve")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return run(Options(options.folder.resolve(), options.port, options.host, not options.no_spare))


if __name__ == "__main__":
    sys.exit(main())
