"""dlsys projects …"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson

if TYPE_CHECKING:
    from jupyter_dlsys.contract.access import Member, MemberKind, Project

app = typer.Typer(rich_markup_mode=None, help="Projects, and who is in them.")


class RoleName(Enum):
    """What a member may do."""

    viewer = "viewer"
    application_developer = "application-developer"
    data_engineer = "data-engineer"
    data_scientist = "data-scientist"
    maintainer = "maintainer"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the user or group.")]
Which = Annotated[
    str | None, typer.Option("--in", metavar="PROJECT", help="The project; yours else.")
]
IsGroup = Annotated[bool, typer.Option("--group", help="NAME is a group of the hub.")]


@app.callback(invoke_without_command=True)
def projects(context: typer.Context, as_json: AsJson = False) -> None:
    """Projects, and who is in them. Alone: the list."""
    if context.invoked_subcommand is None:
        list_projects(as_json=as_json)


@app.command("list")
@covers("projects.list")
def list_projects(as_json: AsJson = False) -> None:
    """Projects that you are in, and as what."""
    found = session.client().projects.list()
    columns = ["name", "title", "role", "owner", "created_at:made"]
    output.table(found, columns, as_json, empty="You are in no project.")


@app.command()
@covers("projects.show")
def show(
    project: Annotated[str | None, typer.Argument(metavar="PROJECT")] = None,
    as_json: AsJson = False,
) -> None:
    """One project, and what you may do in it."""
    _tell(session.client().projects.show(project), as_json)


@app.command()
@covers("projects.permissions")
def permissions(
    project: Annotated[str | None, typer.Argument(metavar="PROJECT")] = None,
    as_json: AsJson = False,
) -> None:
    """What you may do in a project, and why not the rest."""
    found = session.client().projects.permissions(project)
    columns = ["operation", "allowed", "words:why not"]
    output.table(found, columns, as_json, empty="There is nothing to do.")


@app.command()
@covers("projects.create")
def create(
    name: Annotated[str, typer.Argument(help="A slug: a-z, 0-9 and '-'.")],
    title: Annotated[str, typer.Option(help="For people.")] = "",
    as_json: AsJson = False,
) -> None:
    """A new shared project; you are its maintainer."""
    _tell(session.client().projects.create(name, title), as_json)


@app.command()
@covers("projects.members")
def members(
    project: Annotated[str | None, typer.Argument(metavar="PROJECT")] = None,
    as_json: AsJson = False,
) -> None:
    """Users and groups that are in a project, and as what."""
    found = session.client().projects.members(project)
    output.table(
        found, ["kind", "name", "role", "added_by:by"], as_json, empty="Nobody but its owner."
    )


@app.command()
@covers("projects.add_member")
def add(
    name: Name,
    role: RoleName,
    group: IsGroup = False,
    project: Which = None,
    as_json: AsJson = False,
) -> None:
    """Give a user or a group a role, instead of the one it had."""
    kind: MemberKind = "group" if group else "user"
    found = session.client().projects.add_member(name, role.value, kind=kind, project=project)
    if as_json:
        session.raw(found)
        return
    session.console().print(_words(found))


@app.command()
@covers("projects.remove_member")
def remove(
    name: Name, group: IsGroup = False, project: Which = None, as_json: AsJson = False
) -> None:
    """Take a user or a group out of a project."""
    kind: MemberKind = "group" if group else "user"
    session.client().projects.remove_member(name, kind=kind, project=project)
    if as_json:
        session.raw({"removed": name, "kind": kind})
        return
    session.console().print(f"{name} ({kind}) is out.")


def _words(member: Member) -> str:
    return f"{member.name} ({member.kind}) is now {member.role}."


def _tell(found: Project, as_json: bool) -> None:
    if as_json:
        session.raw(found)
        return
    about = {"your role": found.role or "none", "you may": found.rights, "owner": found.owner}
    output.pairs(f"{found.name} {found.title}".strip(), about)
