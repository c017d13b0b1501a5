"""up, down, doctor, health, whoami, projects, workers, events."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from jupyter_dlsys.cli import compute, output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson

app = typer.Typer(rich_markup_mode=None)
app.command("workers")(compute.workers)
KEPT_UP = {"DLSYS_IDLE_SECONDS": "0"}
STOP_SECONDS = 45.0


class JobsThen(str, Enum):
    """What becomes of jobs that have not ended."""

    REFUSE = "refuse"
    KEEP = "keep"
    CANCEL = "cancel"


def _home() -> Path:
    from jupyter_dlsys.client import embedded

    given = session.current().home
    return Path(given).expanduser().resolve() if given else embedded.default_home()


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start the platform, and keep it up until `dlsys down`."""
    from jupyter_dlsys.client import embedded

    home = _home()
    found = embedded.running(home)
    if found is not None and found.idle_seconds:
        session.note("It runs, but would end when unused: starting it again to keep it up …")
        _stop(home, JobsThen.KEEP)
    found = embedded.join(home, settings=KEPT_UP, on_start=lambda: session.note("Starting …"))
    about = {"state": "running", "url": found.url, "home": str(home), "pid": found.pid}
    output.say(about, as_json, f"The platform runs at {found.url} on {home}.")


@app.command()
@covers("system.shutdown")
def down(
    jobs: Annotated[
        JobsThen, typer.Option(help="While jobs run: refuse, keep them going, or cancel them.")
    ] = JobsThen.REFUSE,
    as_json: AsJson = False,
) -> None:
    """Stop the platform and its endpoints."""
    from jupyter_dlsys.client import embedded

    home = _home()
    if embedded.running(home) is None:
        output.say({"state": "stopped"}, as_json, f"No platform runs on {home}.")
        return
    _stop(home, jobs)
    output.say({"state": "stopped"}, as_json, "The platform has stopped.")


def _stop(home: Path, jobs: JobsThen) -> None:
    from jupyter_dlsys.client import embedded
    from jupyter_dlsys.client.client import connect
    from jupyter_dlsys.client.errors import TimedOut

    with connect(home=home) as client:
        client.system.shutdown(jobs.value)
    if not embedded.wait_until_gone(home, STOP_SECONDS):
        raise TimedOut(
            f"The platform has not stopped after {STOP_SECONDS:.0f} seconds.",
            hint=f"Its log is {home / 'logs' / 'platform.log'}",
        )


@app.command()
@covers("system.health")
def health(as_json: AsJson = False) -> None:
    """State of each part of the platform."""
    found = session.client().system.health()
    if as_json:
        session.raw(found)
        return
    session.console().print(f"The platform is {found.state} (version {found.version}).")
    output.draw(["part", "state", ""], [[p.name, p.state, p.message] for p in found.parts])


@app.command()
@covers("system.whoami")
def whoami(as_json: AsJson = False) -> None:
    """Who you are to the platform, and what you may do."""
    found = session.client().system.whoami()
    if as_json:
        session.raw(found)
        return
    about = {"project": found.project, "projects": found.projects, "rights": found.scopes}
    output.pairs(f"{found.name} ({found.kind})", about)


@app.command()
@covers("system.events")
def events(
    topic: Annotated[list[str] | None, typer.Option(help="Only these, by prefix: dataset.")] = None,
    since: Annotated[int | None, typer.Option(min=0, help="Also what came after this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="End after so many.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Follow what happens, until Ctrl-C. With --json a JSON object a line."""
    import json
    import sys

    stream = session.client().system.events(since, topics=topic or ())
    for count, event in enumerate(stream, 1):
        if as_json:
            sys.stdout.write(json.dumps(session.plain(event), ensure_ascii=False) + "\n")
        else:
            about = ", ".join(f"{k}={_brief(v)}" for k, v in event.payload.items())
            sys.stdout.write(f"{event.seq:>6}  {event.topic:<20} {event.subject}  {about}\n")
        sys.stdout.flush()
        if limit and count >= limit:
            return


def _brief(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= 60 else text[:59] + "…"


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look for what is wrong here, and say what to do about it."""
    from jupyter_dlsys.cli.checks import examine

    findings = examine(_home())
    if as_json:
        session.raw([vars(f) for f in findings])
    else:
        marks = {"ok": "✓", "warning": "!", "failed": "✗"}
        for found in findings:
            session.console().print(f"{marks[found.state]} {found.what}: {found.detail}")
            if found.hint:
                session.console().print(f"    → {found.hint}", style="dim")
    if any(found.state == "failed" for found in findings):
        raise typer.Exit(1)
