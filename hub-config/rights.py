"""Who may do what, as JupyterHub understands it: scopes of the platform, roles of the personas.

A token's scopes are a ceiling: in a project a person has (rights of the role there) ∩ (ceiling).
The roles in projects are the platform's; projects.yaml names both, so one line gives a group its
role in a project and the ceiling that this role needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

PLATFORM = "dlsys"
ENTER = f"access:services!service={PLATFORM}"

# As server/dlsys_server/access/scopes.py has it (a test compares).
SCOPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "read": ("See what the projects you are in hold", ()),
    "predict": ("Ask endpoints for predictions", ()),
    "write": ("Change datasets", ("read",)),
    "submit": ("Run and stop jobs and schedules", ("read",)),
    "deploy": ("Promote models, change endpoints, issue their tokens", ("read", "predict")),
    "manage": ("Members and audit of your projects", ("write", "submit", "deploy")),
    "admin": ("The whole platform", ("manage",)),
}

# As access/roles.py has it (a test compares). "platform-engineer" is nobody's role in a project.
PERSONAS: dict[str, tuple[str, ...]] = {
    "viewer": ("read",),
    "application-developer": ("read", "predict"),
    "data-engineer": ("write",),
    "data-scientist": ("write", "submit", "deploy"),
    "maintainer": ("manage",),
}
NAMES = {"viewer": "product-viewer"}
"""What the hub calls a persona where that is not the role's name."""

PLATFORM_ENGINEERS = "platform-engineers"
"""The group. They run the hub, but enter nobody's server and make nobody's tokens."""
OF_PLATFORM_ENGINEERS = (
    "admin-ui",
    "list:users",
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "read:servers",
    "delete:servers",
    "list:groups",
    "read:groups",
    "groups",
    "list:services",
    "read:services",
)


def scope(name: str) -> str:
    """A right of the platform, as a scope of the hub."""
    return f"custom:{PLATFORM}:{name}"


def custom_scopes() -> dict[str, dict[str, Any]]:
    """For `JupyterHub.custom_scopes`."""
    return {
        scope(name): {
            "description": f"{PLATFORM}: {text}",
            **({"subscopes": [scope(part) for part in parts]} if parts else {}),
        }
        for name, (text, parts) in SCOPES.items()
    }


def roles(projects: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For `JupyterHub.load_roles`: personas and who has them, servers, the platform itself."""
    personas = [
        {
            "name": f"{PLATFORM}-{NAMES.get(persona, persona)}",
            "description": f"Works with {PLATFORM} as {persona} at most",
            "scopes": [ENTER, *map(scope, rights)],
            "groups": sorted(_holders(projects, "groups", persona)),
            "users": sorted(_holders(projects, "users", persona)),
        }
        for persona, rights in PERSONAS.items()
    ]
    return [
        *personas,
        {
            "name": f"{PLATFORM}-platform-engineer",
            "description": "Runs the platform and the hub",
            "scopes": [ENTER, scope("admin"), *OF_PLATFORM_ENGINEERS],
            "groups": [PLATFORM_ENGINEERS],
        },
        # The token inside each notebook server. The hub cuts it to what the server's owner has,
        # so the widest is listed: a viewer's server still can only read.
        {
            "name": "server",
            "scopes": ["users:activity!user", "access:servers!server", ENTER, scope("admin")],
        },
        # The platform may ask who somebody is and which groups he is in; it can act for nobody.
        {
            "name": f"{PLATFORM}-service",
            "scopes": ["read:users:name", "read:users:groups"],
            "services": [PLATFORM],
        },
    ]


def groups(projects: Mapping[str, Any]) -> list[str]:
    """All groups that roles are bound to; the hub makes those that it does not have."""
    named = {g for persona in PERSONAS for g in _holders(projects, "groups", persona)}
    return sorted(named | {PLATFORM_ENGINEERS})


def read_projects(path: Path) -> dict[str, Any]:
    """The projects of projects.yaml.

    Raises:
        ValueError: it is not as it should be; the message says where.
    """
    projects = (yaml.safe_load(path.read_text("utf-8")) or {}).get("projects")
    if not isinstance(projects, dict):
        raise ValueError(f"{path}: `projects:` with a name and members for each is missing.")
    for name, project in projects.items():
        for kind in ("users", "groups"):
            for member, persona in ((project or {}).get(kind) or {}).items():
                if persona not in PERSONAS:
                    known = ", ".join(PERSONAS)
                    raise ValueError(f"{path}: {name}.{kind}.{member}: {persona!r} is not: {known}")
    return {name: project or {} for name, project in projects.items()}


def _holders(projects: Mapping[str, Any], kind: str, persona: str) -> Iterable[str]:
    return {
        member
        for project in projects.values()
        for member, held in (project.get(kind) or {}).items()
        if held == persona
    }
