"""One table of rights, told in three places: the platform, the hub's configuration, the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlsys_server.access.roles import ROLES
from dlsys_server.access.scopes import IMPLIED, Scope, expand
from tests.support.hub import FOLDER, ROOT, module

rights = module("rights")
PROJECTS = {
    "vision": {
        "users": {"ann": "maintainer"},
        "groups": {"product": "viewer", "v": "data-engineer"},
    },
    "language": {"groups": {"product": "viewer"}},
}


def test_scopes_are_the_platforms() -> None:
    wanted = {
        scope.value: {s.value for s in implied - {Scope.OPEN}}
        for scope, implied in IMPLIED.items()
        if scope not in (Scope.OPEN, Scope.JOB)
    }
    assert {name: set(parts) for name, (_, parts) in rights.SCOPES.items()} == wanted


def test_personas_are_the_platforms_roles() -> None:
    told = {
        persona: expand(frozenset(Scope(name) for name in names))
        for persona, names in rights.PERSONAS.items()
    }
    assert told == ROLES


def test_the_page_has_the_same_table() -> None:
    text = (ROOT / "docs" / "hub.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]*) \|", text, re.MULTILINE)
    shown = {name: set(re.findall(r"\w+", scopes)) for name, scopes in rows if name in ROLES}
    wanted = {role: {s.value for s in scopes - {Scope.OPEN}} for role, scopes in ROLES.items()}
    assert shown == wanted


def test_a_line_of_projects_gives_the_hubs_role_too() -> None:
    made = {role["name"]: role for role in rights.roles(PROJECTS)}
    assert made["dlsys-maintainer"]["users"] == ["ann"]
    assert made["dlsys-product-viewer"]["groups"] == ["product"]
    assert made["dlsys-data-engineer"]["groups"] == ["v"]
    assert made["dlsys-data-scientist"]["groups"] == []
    assert rights.groups(PROJECTS) == ["platform-engineers", "product", "v"]


def test_only_the_platform_engineers_role_has_hub_rights() -> None:
    for role in rights.roles(PROJECTS):
        others = [s for s in role["scopes"] if not s.startswith(("custom:dlsys:", "access:serv"))]
        if role["name"] in ("dlsys-platform-engineer", "dlsys-service", "server"):
            continue
        assert others == [], role["name"]
    powers = {"admin:users", "tokens", "access:servers", "admin:auth_state", "inherit", "shares"}
    assert not powers & {s for role in rights.roles(PROJECTS) for s in role["scopes"]}


def test_the_sample_is_readable_and_a_wrong_role_is_named(tmp_path: Path) -> None:
    assert set(rights.read_projects(FOLDER / "projects.yaml")) == {"vision", "language"}
    file = tmp_path / "projects.yaml"
    file.write_text("projects:\n  vision:\n    users: {ann: boss}\n")
    with pytest.raises(ValueError, match=r"vision\.users\.ann: 'boss'"):
        rights.read_projects(file)
    file.write_text("vision: {}\n")
    with pytest.raises(ValueError, match="projects"):
        rights.read_projects(file)
