"""dlsys audit …"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, Limit, usage

if TYPE_CHECKING:
    from jupyter_dlsys.contract.access import AuditEntry, AuditReport

app = typer.Typer(rich_markup_mode=None, help="Who did what, and whether it was allowed.")
AGO = re.compile(r"^(\d+)(min|h|d)$")
UNITS = {"min": "minutes", "h": "hours", "d": "days"}
HEADINGS = ["#", "time", "who", "what", "where", "outcome"]
BROKEN = 1


class OutcomeName(str, Enum):
    """What came of it."""

    allowed = "allowed"
    refused = "refused"
    failed = "failed"


class FormatName(str, Enum):
    """File formats of an export."""

    jsonl = "jsonl"
    csv = "csv"


Project = Annotated[str | None, typer.Option("--in", metavar="PROJECT", help="Only there.")]
Actor = Annotated[str | None, typer.Option("--who", metavar="NAME", help="Only this one.")]
Operation = Annotated[
    str | None, typer.Option("--what", metavar="PREFIX", help="Only these: datasets., mlflow.")
]
Outcome = Annotated[OutcomeName | None, typer.Option(help="Only what ended so.")]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="2026-01-31, or 30min, 8h, 7d ago")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Before that, written the same.")]
Text = Annotated[str | None, typer.Option("--text", help="Part of the target.")]


@app.callback(invoke_without_command=True)
def audit(context: typer.Context, as_json: AsJson = False) -> None:
    """Who did what, and whether it was allowed. Alone: the newest."""
    if context.invoked_subcommand is None:
        list_entries(as_json=as_json)


@app.command("list")
@covers("audit.list")
def list_entries(
    limit: Limit = 50,
    project: Project = None,
    who: Actor = None,
    what: Operation = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    text: Text = None,
    as_json: AsJson = False,
) -> None:
    """What was done or refused in the projects that you manage, newest first."""
    wanted = _filters(project, who, what, outcome, since, until, text)
    found = session.client().audit.list(limit, **wanted)
    if as_json:
        session.raw(found)
    elif found:
        output.draw(HEADINGS, [_cells(entry) for entry in found])
    else:
        session.console().print("Nothing, or nothing that you may see.", style="dim")


@app.command()
@covers("audit.export")
def export(
    to: Annotated[Path, typer.Option("--to", "-o", help="File.")] = Path("audit.jsonl"),
    format: Annotated[FormatName | None, typer.Option(help="By the file else.")] = None,
    project: Project = None,
    who: Actor = None,
    what: Operation = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    text: Text = None,
    as_json: AsJson = False,
) -> None:
    """The same as a file, oldest first: JSON lines or CSV."""
    chosen = format.value if format else "csv" if to.suffix.lower() == ".csv" else "jsonl"
    wanted = _filters(project, who, what, outcome, since, until, text)
    session.client().audit.export(to, chosen, **wanted)  # type: ignore[arg-type]
    size = to.stat().st_size
    from jupyter_dlsys.client.words import size as in_words

    about = {"path": str(to), "format": chosen, "bytes": size}
    output.say(about, as_json, f"{to} ({in_words(size)})")


@app.command()
@covers("audit.verify")
def verify(as_json: AsJson = False) -> None:
    """Look for rows that were changed or removed; exit code 1 when there are some."""
    found = session.client().audit.verify()
    if as_json:
        session.raw(found)
    else:
        _tell(found)
    if not found.ok:
        raise typer.Exit(BROKEN)


def _tell(found: AuditReport) -> None:
    console = session.console()
    if found.ok:
        console.print(f"✓ {found.rows:,} rows, none changed, none missing.")
        if found.head:
            console.print(f"  Row {found.last} has the hash {found.head}", style="dim")
        return
    console.print(f"✗ The audit log is not as it was written ({found.rows:,} rows).")
    for problem in found.problems:
        console.print(f"  {problem}")


def _cells(entry: AuditEntry) -> list[str]:
    who = f"{entry.actor} for {entry.behalf_of}" if entry.behalf_of else entry.actor
    outcome = entry.outcome if entry.outcome == "allowed" else f"{entry.outcome} {entry.status}"
    what = f"{entry.operation} {entry.target}"
    time = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
    return [str(entry.seq), time, who, what, entry.project or "", outcome]


def _filters(
    project: str | None,
    who: str | None,
    what: str | None,
    outcome: OutcomeName | None,
    since: str | None,
    until: str | None,
    text: str | None,
) -> dict[str, Any]:
    return {
        "project": project,
        "actor": who,
        "operation": what,
        "outcome": outcome.value if outcome else None,
        "since": _time(since, "--since"),
        "until": _time(until, "--until"),
        "text": text,
    }


def _time(given: str | None, option: str) -> datetime | None:
    """'7d' ago, or a date or time; without a zone it is the one of this machine."""
    if given is None:
        return None
    if found := AGO.match(given.strip()):
        return datetime.now(timezone.utc) - timedelta(**{UNITS[found[2]]: int(found[1])})
    try:
        return datetime.fromisoformat(given.strip().replace("Z", "+00:00")).astimezone()
    except ValueError:
        raise usage(
            f"{option} {given}: this is no time.", "Write 2026-01-31, 2026-01-31T08:00, or 8h."
        ) from None
