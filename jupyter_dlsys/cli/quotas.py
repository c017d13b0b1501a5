"""dlsys quotas …"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson

if TYPE_CHECKING:
    from jupyter_dlsys.contract.quotas import Quota, Resource, Use

app = typer.Typer(rich_markup_mode=None, help="How much users and projects may use, and do.")
RESOURCES: tuple[Resource, ...] = ("gpu_hours", "jobs", "storage_bytes", "endpoints")
AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([kmgtp]?)(i?)b?\s*", re.IGNORECASE)
BAR = 10
STYLES = {"ok": "green", "near": "yellow", "full": "bold red"}


class KindName(Enum):
    """Whose limits."""

    user = "user"
    project = "project"


Kind = Annotated[KindName, typer.Argument(metavar="user|project")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Or '*': all that have no limits of their own.")
]


@app.callback(invoke_without_command=True)
def quotas(context: typer.Context, as_json: AsJson = False) -> None:
    """How much users and projects may use, and do. Alone: the list."""
    if context.invoked_subcommand is None:
        list_quotas(as_json=as_json)


@app.command("list")
@covers("quotas.list")
def list_quotas(as_json: AsJson = False) -> None:
    """Your limits and use and those of your projects; of all for an administrator."""
    found = session.client().quotas.list()
    if as_json:
        session.raw(found)
        return
    _draw(found)


@app.command("set")
@covers("quotas.set")
def set_quota(
    kind: Kind,
    name: Name,
    gpu_hours: Annotated[
        str | None, typer.Option(metavar="N|none", help="In a calendar month (UTC).")
    ] = None,
    jobs: Annotated[
        str | None, typer.Option(metavar="N|none", help="That run at the same time.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="SIZE|none", help="Kept data: 500G, 2T, 100MiB.")
    ] = None,
    endpoints: Annotated[
        str | None, typer.Option(metavar="N|none", help="That are deployed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set limits; those that are not named stay as they are. Needs administration."""
    read: dict[Resource, tuple[Any] | None] = {
        "gpu_hours": _read(gpu_hours, "--gpu-hours", float),
        "jobs": _read(jobs, "--jobs", int),
        "storage_bytes": _read(storage, "--storage", _bytes),
        "endpoints": _read(endpoints, "--endpoints", int),
    }
    changed = {resource: value[0] for resource, value in read.items() if value is not None}
    if not changed:
        raise typer.BadParameter("name at least one limit, e.g. --gpu-hours 100")
    client = session.client().quotas
    there = {(quota.kind, quota.name): quota for quota in client.list()}
    known = there.get((kind.value, name)) or there.get((kind.value, "*"))
    before: dict[Resource, Any] = {}
    if known is not None:
        before = {resource: getattr(known.limits, resource) for resource in RESOURCES}
    found = client.set(kind.value, name, **{**before, **changed})
    if as_json:
        session.raw(found)
        return
    _draw([found])


@app.command()
@covers("quotas.unset")
def unset(kind: Kind, name: Name, as_json: AsJson = False) -> None:
    """Back to the limits of '*', or of the platform's settings. Needs administration."""
    session.client().quotas.unset(kind.value, name)
    output.say(
        {"unset": name, "kind": kind.value},
        as_json,
        f"{name} ({kind.value}) has no limits of its own now.",
    )


def _read(given: str | None, option: str, reader: Any) -> tuple[Any] | None:
    """None: not named; (None,): no limit."""
    if given is None:
        return None
    if given.strip().lower() in ("none", "no", "-"):
        return (None,)
    try:
        value = reader(given)
    except ValueError:
        raise typer.BadParameter(f"{option}: '{given}' is not an amount") from None
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{option}: '{given}' is not an amount")
    return (value,)


def _bytes(given: str) -> int:
    """'500G' in powers of 1000, as sizes of data are shown; '500GiB' in powers of 1024."""
    match = AMOUNT.fullmatch(given)
    if match is None:
        raise ValueError(given)
    power = " kmgtp".index(match[2].lower() or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def _draw(found: list[Quota]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("whose", "GPU-hours", "jobs", "storage", "endpoints", "set by"):
        drawn.add_column(heading, overflow="fold", no_wrap=heading not in ("whose",))
    for quota in found:
        used = {use.resource: use for use in quota.use}
        cells = [_cell(used.get(r), getattr(quota.limits, r), r) for r in RESOURCES]
        by = Text("as *" if quota.inherited else quota.set_by or "settings", style="dim")
        drawn.add_row(Text(f"{quota.kind} {quota.name}"), *cells, by)
    session.console().print(drawn)


def _cell(use: Use | None, limit: float | None, resource: Resource) -> Any:
    """'3.5 of 10' above a bar, or the limit alone, or the use alone."""
    from rich.text import Text

    if use is None:
        return Text("–" if limit is None else _amount(limit, resource), style="dim")
    if use.limit is None:
        return Text(_amount(use.used, resource), style="dim")
    part = min(1.0, use.used / use.limit) if use.limit else 1.0
    filled = round(part * BAR)
    words = f"{_amount(use.used, resource)} of {_amount(use.limit, resource)}\n"
    bar = "█" * filled + "·" * (BAR - filled)
    return Text(words).append(bar, style=STYLES.get(use.level, ""))


def _amount(value: float, resource: Resource) -> str:
    if resource == "storage_bytes":
        from jupyter_dlsys.client.words import size

        return size(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
