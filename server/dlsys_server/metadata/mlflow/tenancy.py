"""Projects as MLflow workspaces, our roles as MLflow roles."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from .connection import Connection, Json
from .environment import ADMIN
from .errors import MlflowError

GRANTS: dict[str, tuple[tuple[str, str], ...]] = {
    # role -> (resource type, permission) on all resources of the project
    "viewer": (("experiment", "READ"), ("registered_model", "READ")),
    "member": (("workspace", "USE"), ("experiment", "EDIT"), ("registered_model", "EDIT")),
    "maintainer": (("workspace", "MANAGE"),),
}
_STRENGTH = {role: rank for rank, role in enumerate(GRANTS)}


class Tenancy(Connection):
    """Makes projects and people known to MLflow. What is known already costs no call."""

    def __init__(
        self,
        socket: Callable[[], Path],
        secret: str,
        *,
        timeout: float = 30.0,
        known_seconds: float = math.inf,
    ) -> None:
        super().__init__(socket, secret, timeout=timeout)
        self._known_seconds, self._known_since = known_seconds, time.monotonic()
        self._roles: dict[tuple[str, str], str | None] = {}
        self._role_ids: dict[tuple[str, str], int] = {}
        self._workspaces: set[str] = set()
        self._people: set[str] = set()
        self._one = asyncio.Lock()

    async def ensure_workspace(self, project: str) -> None:
        """Make the project's workspace unless it is there."""
        if project in self._workspaces:
            return
        try:
            await self.request("GET", f"workspaces/{quote(project)}")
        except MlflowError as error:
            if not error.missing:
                raise
            await self._create_unless_there("workspaces", {"name": project})
        self._workspaces.add(project)

    async def ensure_user(
        self, user: str, project: str, role: str | None, *, lower: bool = True
    ) -> None:
        """Make `user` known to MLflow with `role` ("viewer", "member", "maintainer") in `project`;
        None: no role.

        With `lower=False` a stronger role is left as it is. Cheap when nothing changes.
        """
        if time.monotonic() - self._known_since > self._known_seconds:
            self._known_since = time.monotonic()
            self._roles.clear()  # another process may have given another role meanwhile
        known = self._roles.get((user, project), "")
        if known == role or (not lower and _stronger(known, role)):
            return
        if user == ADMIN:
            raise MlflowError(403, "PERMISSION_DENIED", f"The name '{user}' is reserved.")
        async with self._one:
            await self.ensure_workspace(project)
            if user not in self._people:
                password = secrets.token_urlsafe(24)
                body = {"username": user, "password": password}
                await self._create_unless_there("users/create", body)
                self._people.add(user)
            held = await self._held_roles(user, project)
            if not lower and any(_stronger(name, role) for name in held):
                role = max(held, key=lambda name: _STRENGTH[name])
            for name, role_id in held.items():
                if name != role:
                    await self._assign("DELETE", "roles/unassign", user, project, role_id)
            if role is not None and role not in held:
                await self._assign(
                    "POST", "roles/assign", user, project, await self._role(project, role)
                )
            self._roles[user, project] = role

    async def _create_unless_there(self, call: str, body: Json) -> None:
        try:
            await self.request("POST", call, body=body)
        except MlflowError as error:
            if not error.exists:
                raise

    async def _assign(self, method: str, call: str, user: str, project: str, role_id: int) -> None:
        body = {"username": user, "role_id": role_id}
        await self.request(method, call, project=project, body=body)

    async def _held_roles(self, user: str, project: str) -> dict[str, int]:
        answer = await self.request(
            "GET", "users/roles/list", params={"username": user}, project=project
        )
        return {
            role["name"].removeprefix("dlsys-"): role["id"]
            for role in answer.get("roles", [])
            if role["workspace"] == project and role["name"].removeprefix("dlsys-") in GRANTS
        }

    async def _role(self, project: str, role: str) -> int:
        if (project, role) in self._role_ids:
            return self._role_ids[project, role]
        name = f"dlsys-{role}"
        answer = await self.request(
            "GET", "roles/list", params={"workspace": project}, project=project
        )
        found = next((item for item in answer.get("roles", []) if item["name"] == name), None)
        if found is None:
            body = {"name": name, "workspace": project}
            created = await self.request("POST", "roles/create", body=body, project=project)
            found = created["role"]
        await self._grant(project, found["id"], role)
        self._role_ids[project, role] = found["id"]
        return int(found["id"])

    async def _grant(self, project: str, role_id: int, role: str) -> None:
        params = {"role_id": role_id}
        answer = await self.request("GET", "roles/permissions/list", params=params, project=project)
        held = {(p["resource_type"], p["permission"]) for p in answer["role_permissions"]}
        for resource, permission in GRANTS[role]:
            if (resource, permission) not in held:
                body = {
                    "role_id": role_id,
                    "resource_type": resource,
                    "resource_pattern": "*",
                    "permission": permission,
                }
                await self.request("POST", "roles/permissions/add", body=body, project=project)


def _stronger(held: str | None, wanted: str | None) -> bool:
    """Whether `held` gives at least what `wanted` gives. "" is a role not known yet."""
    return held in _STRENGTH and (wanted is None or _STRENGTH[held] >= _STRENGTH[wanted])
