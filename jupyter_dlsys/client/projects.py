"""Projects, and who is in them."""

from __future__ import annotations

from urllib.parse import quote

from jupyter_dlsys.client.connection import API
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.access import (
    CreateProjectRequest,
    Member,
    MemberKind,
    MemberRequest,
    Permission,
    Project,
    Role,
)


class Projects(Resource):
    """Projects that you are in. `project` is the client's own where it is left out."""

    def list(self) -> Listing[Project]:
        """Your projects, with your role in each."""
        return Listing(self._connection.get(list[Project], f"{API}/projects"))

    def show(self, project: str | None = None) -> Project:
        """One project, with what you may do in it."""
        return self._connection.get(Project, self._of(project))

    def permissions(self, project: str | None = None) -> Listing[Permission]:
        """For each operation whether you may, and why not: which role, and whom to ask."""
        return Listing(self._connection.get(list[Permission], f"{self._of(project)}/permissions"))

    def create(self, name: str, title: str = "") -> Project:
        """A new shared project; you are its maintainer. Needs administration of the platform."""
        body = CreateProjectRequest(name=name, title=title)
        return self._connection.send(Project, "POST", f"{API}/projects", body)

    def members(self, project: str | None = None) -> Listing[Member]:
        """Users and groups that are in it, and as what."""
        return Listing(self._connection.get(list[Member], f"{self._of(project)}/members"))

    def add_member(
        self, name: str, role: Role, *, kind: MemberKind = "user", project: str | None = None
    ) -> Member:
        """Give a user, or a group of the hub, a role instead of the one it had."""
        body = MemberRequest(role=role)
        return self._connection.send(Member, "PUT", self._member(project, kind, name), body)

    def remove_member(
        self, name: str, *, kind: MemberKind = "user", project: str | None = None
    ) -> None:
        """Take a user or a group out."""
        self._connection.json("DELETE", self._member(project, kind, name))

    def _of(self, project: str | None) -> str:
        return f"{API}/projects/{quote(project or self._connection.project, safe='')}"

    def _member(self, project: str | None, kind: MemberKind, name: str) -> str:
        return f"{self._of(project)}/members/{kind}/{quote(name, safe='')}"
