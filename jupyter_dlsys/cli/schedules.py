"""dlsys schedules …"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, Limit, ScheduleId
from jupyter_dlsys.cli.submitting import Look, look_first, takes_submission
from jupyter_dlsys.cli.times import cron_of

if TYPE_CHECKING:
    from jupyter_dlsys.client.results import Firing, Schedule
    from jupyter_dlsys.contract.schedules import CronExplanation

app = typer.Typer(rich_markup_mode=None, help="Schedules: notebooks that run again and again.")
EMPTY = "No schedule yet. Make one: dlsys schedules create NOTEBOOK.ipynb --every weekday --at 7"


class Missed(Enum):
    """What to do about times when the platform was off."""

    skip = "skip"
    last = "last"
    all = "all"


class Overlap(Enum):
    """What to do when the last job has not ended."""

    queue = "queue"
    skip = "skip"
    replace = "replace"


Cron = Annotated[
    str | None,
    typer.Option(metavar="CRON", help='Minute, hour, day, month, weekday: "0 7 * * 1-5".'),
]
Every = Annotated[
    str | None, typer.Option(metavar="WHAT", help="day, weekday, monday, month, hour, 15min …")
]
At = Annotated[str | None, typer.Option(metavar="TIME", help="Of that day: 7 or 07:30.")]
Zone = Annotated[
    str | None,
    typer.Option("--tz", metavar="ZONE", help="E.g. Europe/Berlin; this machine's else."),
]


@app.callback(invoke_without_command=True)
def schedules(context: typer.Context, as_json: AsJson = False) -> None:
    """Schedules: notebooks that run again and again. Alone: the list."""
    if context.invoked_subcommand is None:
        list_schedules(limit=50, as_json=as_json)


@app.command("list")
@covers("schedules.list")
def list_schedules(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Schedules, newest first."""
    found = session.client().schedules.list(limit)
    if as_json or not found:
        output.table(found, [], as_json, empty=EMPTY)
        return
    rows = [[s.id, s.name, s.words, _next(s), _last(s)] for s in found]
    output.draw(["id", "name", "when", "next", "last"], rows)


@app.command()
@covers("schedules.create")
@takes_submission
def create(
    given: dict[str, Any],
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    tz: Zone = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Read the file anew each time; else it is kept as now.")
    ] = False,
    missed: Annotated[
        Missed, typer.Option(help="Times when the platform was off: run for none, the last, all.")
    ] = Missed.last,
    overlap: Annotated[
        Overlap, typer.Option(help="When the last job has not ended: wait, skip, or replace it.")
    ] = Overlap.queue,
    look: Look = True,
    as_json: AsJson = False,
) -> None:
    """Run a notebook or script again and again; all options of `dlsys submit`, and when."""
    client = session.client()
    expression = cron_of(cron, every, at)
    planned = client.schedules.explain(expression, tz)
    if look:
        look_first(given, as_json)
    if not as_json:
        _show_times(planned)
    made = client.schedules.create(
        cron=planned.cron,
        timezone=planned.timezone,
        follow=follow,
        missed=missed.value,
        overlap=overlap.value,
        **given,
    )
    output.say(made, as_json, f"Schedule {made.name} ({made.id}) is on.")


@app.command()
@covers("schedules.show")
def show(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """One schedule: when it runs, what, and what came of the last time."""
    found = session.client().schedules.show(schedule)
    if as_json:
        session.raw(found)
        return
    about = {
        "id": found.id,
        "when": found.words,
        "cron": found.cron,
        "next": "paused" if found.paused else ", ".join(found.next),
        "runs": found.path if found.follow else f"{found.source} (as it was when kept)",
        "inputs": found.inputs,
        "parameters": found.parameters,
        "missed times": found.missed,
        "overlap": found.overlap,
        "owner": found.owner,
        "last": _last(found),
    }
    output.pairs(f"{found.name}{' (paused)' if found.paused else ''}", about)


@app.command()
@covers("schedules.update")
def update(
    schedule: ScheduleId,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    tz: Zone = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    missed: Annotated[Missed | None, typer.Option(help="Times when it was off.")] = None,
    overlap: Annotated[Overlap | None, typer.Option(help="The last job has not ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change when it runs; its history stays."""
    found = session.client().schedules.update(
        schedule,
        name=name,
        cron=cron_of(cron, every, at) if cron or every or at else None,
        timezone=tz,
        missed=missed.value if missed else None,
        overlap=overlap.value if overlap else None,
    )
    output.say(found, as_json, f"Schedule {found.name}: {found.words}. Next: {_next(found)}.")


@app.command()
@takes_submission
def replace(
    schedule: ScheduleId, given: dict[str, Any], look: Look = True, as_json: AsJson = False
) -> None:
    """Change what it runs: this file as it is now, with all options anew. Times and history stay.

    One that follows a file takes the options only.
    """
    if look:
        look_first(given, as_json)
    found = session.client().schedules.update(schedule, **given)
    what = f"{found.path} as it is then" if found.follow else f"{found.source} as it is now"
    output.say(found, as_json, f"Schedule {found.name} runs {what}. Next: {_next(found)}.")


@app.command()
@covers("schedules.remove")
def rm(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """End a schedule; its jobs stay."""
    session.client().schedules.remove(schedule)
    output.say({"removed": schedule}, as_json, f"Schedule {schedule} is removed; its jobs stay.")


@app.command()
@covers("schedules.pause")
def pause(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Stop it until it is resumed."""
    found = session.client().schedules.pause(schedule)
    again = f"Go on with it: dlsys schedules resume {found.id}"
    output.say(found, as_json, f"Schedule {found.name} is paused. {again}")


@app.command()
@covers("schedules.resume")
def resume(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Go on from now; what was due meanwhile is not made up for."""
    found = session.client().schedules.resume(schedule)
    output.say(found, as_json, f"Schedule {found.name} is on. Next: {_next(found)}.")


@app.command()
@covers("schedules.run")
def run(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Run it once now, besides the plan."""
    fired = session.client().schedules.run(schedule)
    follow = f" Follow it: dlsys jobs watch {fired.job}" if fired.job else ""
    why = f": {fired.reason}" if fired.reason else "."
    output.say(fired, as_json, f"{_words(fired).capitalize()}{why}{follow}")
    if fired.state in ("failed", "skipped"):
        raise typer.Exit(1)


@app.command()
@covers("schedules.backfill")
def backfill(
    schedule: ScheduleId,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="2026-11-01[T07:00].")],
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Now else.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Refuse when there are more.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Run it for each past time that has no job, one after the other."""
    found = session.client().schedules.backfill(schedule, start, end, limit)
    _show_firings(schedule, found, as_json, "Each of these times has its job already.")


@app.command()
@covers("schedules.history")
def history(schedule: ScheduleId, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Times that came and what came of them, newest first."""
    found = session.client().schedules.history(schedule, limit)
    _show_firings(schedule, found, as_json, "It has not run yet.")


@app.command()
@covers("schedules.explain")
def explain(
    cron: Annotated[str, typer.Argument(metavar="CRON", help='E.g. "0 7 * * 1-5".')],
    tz: Zone = None,
    as_json: AsJson = False,
) -> None:
    """A cron expression in words, and its next five times."""
    found = session.client().schedules.explain(cron, tz)
    if as_json:
        session.raw(found)
    else:
        _show_times(found)


def _show_times(found: CronExplanation) -> None:
    from jupyter_dlsys.client.words import moment

    console = session.console()
    console.print(f"{found.words}. The next times:")
    for due in found.next_times:
        console.print(f"  {moment(due, found.timezone)}")


def _show_firings(schedule: str, found: list[Firing], as_json: bool, empty: str) -> None:
    if as_json or not found:
        output.table(found, [], as_json, empty=empty)
        return
    from jupyter_dlsys.client.words import moment

    zone = session.client().schedules.show(schedule).timezone
    rows = [[moment(f.due_at, zone), _words(f), f.job or "", f.reason] for f in found]
    output.draw(["due", "state", "job", "why"], rows)


def _next(schedule: Schedule) -> str:
    if schedule.paused:
        return "paused"
    return schedule.next[0] if schedule.next else "never"


def _last(schedule: Schedule) -> str:
    return _words(schedule.last_firing) if schedule.last_firing else ""


def _words(fired: Any) -> str:
    """'job succeeded', 'waiting', 'skipped', 'failed'."""
    if fired.job:
        return f"job {fired.job_state or 'submitted'}"
    if fired.state == "pending":
        return "waiting"
    return str(fired.state)
