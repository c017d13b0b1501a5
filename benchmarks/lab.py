"""The lab part of the demo: from an empty data folder to the second round, in seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, Sample, Target, figure, missing
from benchmarks.measuring import Watch

SECONDS = 120.0
_LIMIT = 900


def run(quick: bool) -> list[Figure]:  # noqa: ARG001  one demo is one sample
    """Run `dlsys demo --json` once; its own clock, and the time of each step."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    command = [str(Path(sys.executable).with_name("dlsys")), "demo", "--json", "--down"]
    command += ["--workspace", str(folder / "workspace")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DLSYS_")}
    try:
        with Watch(folder) as watch:
            began = time.perf_counter()
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
                env={**environment, "DLSYS_BENCHMARK": str(folder)},
            )
            wall = time.perf_counter() - began
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not done.stdout.strip():
        return [missing("lab", f"dlsys demo: {done.stderr.strip()[-200:]}")]
    found = json.loads(done.stdout)
    if not found["ok"]:
        return [missing("lab", f"the demo failed: {found['error']}"[:200])]
    steps = [figure(f"lab: {step['name']}", "s", [step["seconds"]]) for step in found["steps"]]
    whole = Sample(found["seconds"], wall, watch.cpu)
    return [
        *steps,
        figure("lab in all", "s", [whole], [SECONDS], "limit", Target("ours", high=SECONDS)),
    ]
