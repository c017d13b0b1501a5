"""`migrate`: says what is due, does it once, and not under a platform that runs."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def start(home: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dlsys_server", "--home", str(home), "migrate", "--json", *options],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, err = process.communicate(timeout=120)
    assert out, err
    return process.returncode, json.loads(out.splitlines()[-1])


def test_it_is_refused_while_a_platform_runs(dlsys_home: Path) -> None:
    with (dlsys_home / "platform.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, told = said(start(dlsys_home))
    assert (status, told["code"]) == (1, "platform-runs")
    assert not (dlsys_home / "db.sqlite").exists()


@pytest.mark.postgres
@pytest.mark.slow
def test_two_at_once_do_not_collide(postgres_url: str, session_root: Path, tmp_path: Path) -> None:
    settings = {"DLSYS_DATABASE_URL": postgres_url.replace("+psycopg", "")}
    homes = [tmp_path / "a", tmp_path / "b"]
    status, told = said(start(homes[0], "--check", **settings))
    assert (status, told["due"]) == (1, True)
    assert {step["from"] for step in told["steps"]} == {None}
    answers = [said(p) for p in [start(home, **settings) for home in homes]]
    assert [status for status, _ in answers] == [0, 0], answers
    status, told = said(start(homes[1], "--check", **settings))
    assert (status, told["due"]) == (0, False)
    assert all(step["from"] == step["to"] for step in told["steps"])
