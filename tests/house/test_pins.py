"""constraints.txt: exact versions that every Python 3.11 takes."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

FILE = Path(__file__).resolve().parents[2] / "constraints.txt"
PINS = [Requirement(line) for line in FILE.read_text().splitlines() if not line.startswith("#")]
OLDEST = "3.11.0"
"""Debian 12 has 3.11.2; a package that wants a later patch release cannot be installed there."""


def test_no_pin_needs_a_later_patch_of_python() -> None:
    refused = []
    for pin in PINS:
        try:
            installed = metadata(pin.name)
        except PackageNotFoundError:
            continue
        wanted = str(installed.json.get("requires_python", ""))
        if installed["Version"].split("+")[0] != next(iter(pin.specifier)).version:
            continue  # not what is pinned, so it tells nothing of it
        if wanted and not SpecifierSet(wanted).contains(OLDEST):
            refused.append(f"{pin} wants Python {wanted}")
    assert refused == []


def test_every_pin_is_exact() -> None:
    assert [str(p) for p in PINS if [s.operator for s in p.specifier] != ["=="]] == []
