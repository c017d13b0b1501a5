"""`python -m benchmarks [names] [--quick] [--json] [--processes N]`: measure, show one table."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback

from rich.console import Console

from benchmarks.figures import Figure, as_json, missing, print_table

NAMES = (
    *("bundle", "platform_idle", "datasets", "gateway", "lab_start"),
    *("jobs", "jobs_throughput", "jobs_table", "lab"),
)


def main() -> None:
    """Measure what is asked for; what goes wrong becomes a row, never an exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few, short samples")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on stdout")
    parser.add_argument("--processes", type=int, default=1, help="of our platform (default: 1)")
    asked = parser.parse_args()
    os.environ["DLSYS_PROCESSES"] = str(asked.processes)
    asked.names = [name.replace("-", "_") for name in asked.names]
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console(stderr=asked.json, width=None if sys.stdout.isatty() else 160)
    figures: list[Figure] = []
    for name in asked.names or NAMES:
        with console.status(f"measuring {name}"):
            figures += _run(name, quick=asked.quick)
    print_table(figures, console)
    if asked.json:
        sys.stdout.write(as_json(figures) + "\n")


def _run(name: str, *, quick: bool) -> list[Figure]:
    try:
        found: list[Figure] = importlib.import_module(f"benchmarks.{name}").run(quick)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # noqa: BLE001  one benchmark that cannot run leaves the others
        traceback.print_exc()
        return [missing(name, f"{type(error).__name__}: {error}"[:200])]
    return found


if __name__ == "__main__":
    main()
