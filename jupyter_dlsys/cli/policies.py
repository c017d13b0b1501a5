"""dlsys datasets policy …: who may see a dataset, its columns and rows, and take it out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, DatasetName, usage

if TYPE_CHECKING:
    from jupyter_dlsys.contract.policies import ColumnMask, Policy, RowFilter


class VisibilityName(Enum):
    """Who sees that it is there."""

    private = "private"
    project = "project"
    groups = "groups"
    organisation = "organisation"


Visible = Annotated[VisibilityName | None, typer.Option("--visibility", help="Who sees it.")]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="NAME", help="A group of the hub; repeat for more."),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="COL[:METHOD][:ROLES]",
        help="Hide a column from all but ROLES (maintainer); METHOD is null, redact or hash.",
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="ROLES: EXPR", help="Rows that these roles see."),
]
Export = Annotated[
    str | None, typer.Option("--export", metavar="ROLES", help="Who may export: all, nobody, …")
]
Clear = Annotated[bool, typer.Option("--clear", help="First take all masks and filters away.")]


@covers("datasets.policy", "datasets.set_policy")
def policy(
    name: DatasetName,
    visibility: Visible = None,
    group: Groups = None,
    mask: Masks = None,
    filter: Filters = None,
    export: Export = None,
    clear: Clear = False,
    as_json: AsJson = False,
) -> None:
    """Who may see a dataset, and what of it; with options: change that.

    What is not named stays. --mask names all masks anew, --filter all filters.
    """
    datasets = session.client().datasets
    found = datasets.policy(name)
    if any((visibility, group, mask, filter, export, clear)):
        kept: dict[str, Any] = {
            "visibility": found.visibility,
            "groups": found.groups,
            "masks": [] if clear else found.masks,
            "filters": [] if clear else found.filters,
            "export": found.export,
        }
        found = datasets.set_policy(
            name, **{**kept, **_asked(visibility, group, mask, filter, export)}
        )
    if as_json:
        session.raw(found)
        return
    _print(found)


def _asked(
    visibility: VisibilityName | None,
    group: list[str] | None,
    mask: list[str] | None,
    filter: list[str] | None,
    export: str | None,
) -> dict[str, Any]:
    """The fields of the request that the options say something of."""
    asked: dict[str, Any] = {}
    if visibility:
        asked |= {"visibility": visibility.value}
    if group:
        asked |= {"groups": group, "visibility": "groups"}
    elif visibility and visibility is not VisibilityName.groups:
        asked |= {"groups": []}
    if mask:
        asked["masks"] = [_mask(text) for text in mask]
    if filter:
        asked["filters"] = [_filter(text) for text in filter]
    if export:
        special: dict[str, Any] = {"all": None, "nobody": []}
        asked["export"] = special[export] if export in special else _roles(export, "--export")
    return asked


def _mask(text: str) -> ColumnMask:
    from jupyter_dlsys.contract.policies import ColumnMask, MaskMethod

    column, *others = text.split(":")
    method = others.pop(0) if others and others[0] in get_args(MaskMethod) else "null"
    if len(others) > 1 or not column:
        raise usage(f"--mask {text}: this is not COLUMN[:METHOD][:ROLES].", "e.g. email:hash")
    roles = _roles(others[0], "--mask") if others else ["maintainer"]
    return ColumnMask.model_validate({"column": column, "method": method, "roles": roles})


def _filter(text: str) -> RowFilter:
    from jupyter_dlsys.contract.policies import RowFilter

    roles, colon, where = text.partition(":")
    if not colon or not where.strip():
        raise usage(f"--filter {text}: this is not ROLES: EXPR.", "e.g. 'viewer: age >= 18'")
    return RowFilter.model_validate({"roles": _roles(roles, "--filter"), "where": where.strip()})


def _roles(text: str, option: str) -> list[str]:
    from jupyter_dlsys.contract.access import Role

    known: tuple[str, ...] = get_args(Role)
    roles = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [role for role in roles if role not in known]
    if unknown or not roles:
        what = f"there is no role '{unknown[0]}'" if unknown else "a role is missing"
        raise usage(f"{option} {text}: {what}.", f"There are: {', '.join(known)}.")
    return roles


def _print(found: Policy) -> None:
    export = "all who may read" if found.export is None else ", ".join(found.export) or "nobody"
    about: dict[str, Any] = {
        "owner": found.owner,
        "visibility": found.visibility,
        "groups": ", ".join(found.groups),
        "export": export,
    }
    for mask in found.masks:
        seen = ", ".join(mask.roles) or "maintainer"
        about[f"mask {mask.column}"] = f"{mask.method}, but for {seen}"
    for item in found.filters:
        about[f"filter {', '.join(item.roles)}"] = item.where
    hidden = ", ".join(found.masked) or "no column"
    rows = "some rows" if found.filtered else "no row"
    taken = "you may export" if found.may_export else "you may not export"
    about["for you"] = f"{hidden} masked, {rows} hidden, {taken}"
    if found.may_change:
        about["you may"] = "change it"
    output.pairs(found.dataset, about)
