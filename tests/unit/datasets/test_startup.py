"""What the platform loads before anybody commits: no Arrow, no Pillow, so that idle is small."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, dlsys_server.datasets.routes
heavy = {"pyarrow", "numpy", "PIL", "s3fs", "pandas", "torch", "mlflow"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_the_routes_load_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
