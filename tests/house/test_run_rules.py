"""The rules of a test run, seen from outside: no silent skip in CI, no process left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPING = {
    "test_one.py": "import pytest\ndef test_x(): pytest.skip('no browser')\n",
    "test_two.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_three.py": "import pytest\ndef test_x(): pytest.skip('not applicable: no such system')\n",
}
LEAVING = """
import subprocess, sys
def test_x():
    code = "import time; time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, cwd="/")
    open("pid", "w").write(str(child.pid))
"""


def _run(folder: Path, **environment: str) -> tuple[int, str]:
    """Exit status and report of pytest on the files of a folder, under our conftest."""
    clean = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST")}
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", f"--rootdir={folder}")
    options += ("--continue-on-collection-errors",)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.fixture
def skipping(tmp_path: Path) -> Path:
    for name, text in SKIPPING.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_a_missing_part_is_a_skip_elsewhere(skipping: Path) -> None:
    status, said = _run(skipping)
    assert status == 0
    assert "3 skipped" in said


def test_a_missing_part_is_a_failure_in_ci(skipping: Path) -> None:
    status, said = _run(skipping, CI="true")
    assert status != 0
    assert "CI=true does not allow: no browser" in said
    assert "CI=true does not allow: could not import 'no_such_module'" in said
    assert "1 skipped: not applicable" in said or "[1] test_three.py" in said


def test_a_detached_process_left_behind_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LEAVING, "utf-8")
    status, said = _run(tmp_path)
    assert status == 1
    assert "processes outlived the tests" in said
    pid = int((tmp_path / "pid").read_text("utf-8"))
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
