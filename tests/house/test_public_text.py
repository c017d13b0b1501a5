"""What is public names no machine: no path of a developer's disk, no registry's address."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = {".png", ".jpg", ".gif", ".ico", ".parquet", ".arrow", ".woff2", ".pt2", ".zip"}
ABSENT = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/"),
    "a package registry's address": re.compile(
        r"(?:pypi|npmjs|registry|artifactory|nexus|mirror)[\w.-]*\.(?:org|com|io|net|internal|local)(?:/|:\d)",
        re.IGNORECASE,
    ),
    "a private host": re.compile(r"https?://[\w.-]+\.(?:internal|local|lan|corp)\b", re.IGNORECASE),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
}


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not applicable: no git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_tracked_file_names_a_machine() -> None:
    found = []
    files = [p for p in _tracked() if p.is_file() and p.suffix not in BINARY]
    assert len(files) > 20
    for path in files:
        if path == Path(__file__).resolve():
            continue
        text = path.read_text("utf-8", errors="replace")
        for what, pattern in ABSENT.items():
            if match := pattern.search(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line}: {what}: {match.group()}")
    assert not found, "\n".join(found)


def test_the_lock_files_say_nothing_of_where_packages_came_from() -> None:
    for lock in ("package-lock.json", "hub-config/package-lock.json"):
        assert '"resolved"' not in (ROOT / lock).read_text("utf-8")
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in constraints
    assert "+" not in constraints
