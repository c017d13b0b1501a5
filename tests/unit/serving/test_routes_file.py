"""routes.json: read, checked, and never half believed."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from dlsys_server.serving.gateway import routes_file
from dlsys_server.serving.gateway.errors import RoutesFault


def _content(**changes: Any) -> dict[str, Any]:
    entry = {"project": "lab", "active": 3, "previous": "1", "versions": {"3": {"path": "/m/3"}}}
    person = {"subject": "me", "project": "lab", "deployments": ["a"], "expires_at": None}
    return {
        "revision": 7,
        "deployments": {"a": {**entry, **changes}},
        "tokens": {hashlib.sha256(b"t").hexdigest(): person},
    }


def test_defaults_and_a_previous_that_is_gone() -> None:
    routes = routes_file.parse(_content())
    spec = routes.deployments["a"]
    assert (spec.active, spec.previous) == ("3", None)
    assert spec.versions["3"].trust == "safe"
    assert spec.versions["3"].limits.threads == 1
    assert routes.tokens[routes_file.digest("t")].reaches(spec)
    assert routes_file.digest("T") not in routes.tokens


def test_expiry_and_reach() -> None:
    spec = routes_file.parse(_content()).deployments["a"]
    assert not routes_file.Token("me", "other", None, None).reaches(spec)
    assert routes_file.Token("platform", None, None, None).reaches(spec)
    assert not routes_file.Token("me", "lab", frozenset(["b"]), None).reaches(spec)
    assert routes_file.Token("me", "lab", None, time.time() - 1).expired()


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        orjson.dumps(_content(active="9")),
        orjson.dumps(_content(versions={"3": {}})),
        orjson.dumps(_content(versions={"3": {"path": "/m", "trust": "all"}})),
    ],
)
def test_wrong_files_are_refused_whole(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "routes.json").write_bytes(raw)
    with pytest.raises(RoutesFault, match=r"routes\.json"):
        routes_file.read(tmp_path / "routes.json")


def test_absent_file_serves_nothing(tmp_path: Path) -> None:
    assert routes_file.read(tmp_path / "routes.json").deployments == {}
