"""Projects: what exists, and who sees it."""

from __future__ import annotations

from sqlalchemy import select

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from jupyter_dlsys.contract.system import Project

from .principals import Principal
from .tables import ProjectRow


class ProjectService:
    """Verbs on projects."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def ensure(self, name: str, owner: str) -> None:
        """Make the project unless it is there."""
        with self.database.write() as session:
            if session.get(ProjectRow, name) is None:
                session.add(ProjectRow(name=name, owner=owner, created_at=clock.now()))

    def list(self, caller: Principal) -> list[Project]:
        """Projects of the caller, by name."""
        with self.database.read() as session:
            rows = session.scalars(
                select(ProjectRow)
                .where(ProjectRow.name.in_(caller.projects))
                .order_by(ProjectRow.name)
            )
            return [Project(name=row.name, created_at=row.created_at) for row in rows]
