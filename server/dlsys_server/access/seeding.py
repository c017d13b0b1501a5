"""Projects and members from a file that an administrator keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.access import PROJECT_PATTERN, Role

from .tables import MemberRow, ProjectRow

FROM_FILE = "projects file"


class SeededProject(BaseModel):
    """One project of the file."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)
    users: dict[str, Role] = {}
    groups: dict[str, Role] = {}


class Seeds(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    projects: dict[Annotated[str, StringConstraints(pattern=PROJECT_PATTERN)], SeededProject]


def read_seeds(path: Path) -> Seeds:
    """What the file says.

    Raises:
        InvalidInput: it is missing, no YAML, or says something unknown.
    """
    try:
        return Seeds.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"The projects file {path} cannot be read: {error}",
            hint="Correct it, or leave DLSYS_PROJECTS_FILE out.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"The projects file {path} is not right at {where}: {first['msg']}",
            hint="docs/hub.md shows its form.",
        ) from error


def apply_seeds(database: Database, seeds: Seeds, owner: str) -> None:
    """Make projects and members as the file says.

    Members that came from the file and are no longer in it go; those that people added stay, and
    so does a role that people have given to one that is in the file.
    """
    with database.write() as session:
        for name, seeded in seeds.projects.items():
            row = session.get(ProjectRow, name)
            if row is None:
                session.add(
                    ProjectRow(
                        name=name,
                        owner=owner,
                        kind="shared",
                        title=seeded.title,
                        created_at=clock.now(),
                    )
                )
            elif seeded.title:
                row.title = seeded.title
            _members(session, name, "user", seeded.users)
            _members(session, name, "group", seeded.groups)


def _members(session: Session, project: str, kind: str, wanted: dict[str, Role]) -> None:
    ours = (
        MemberRow.project == project,
        MemberRow.kind == kind,
        MemberRow.added_by == FROM_FILE,
    )
    session.execute(delete(MemberRow).where(*ours, MemberRow.name.not_in(list(wanted))))
    there = {
        row.name: row
        for row in session.scalars(
            select(MemberRow).where(MemberRow.project == project, MemberRow.kind == kind)
        )
    }
    for name, role in wanted.items():
        if name not in there:
            session.add(
                MemberRow(
                    project=project,
                    kind=kind,
                    name=name,
                    role=role,
                    added_by=FROM_FILE,
                    added_at=clock.now(),
                )
            )
        elif there[name].added_by == FROM_FILE:
            there[name].role = role
