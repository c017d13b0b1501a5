"""dlsys jobs …"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import compute, output, session, submitting
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import (
    AsJson,
    JobId,
    Limit,
)

if TYPE_CHECKING:
    from jupyter_dlsys.client.results import Job
    from jupyter_dlsys.contract.jobs import Resources

app = typer.Typer(rich_markup_mode=None, help="Training: watch, read, stop.")
app.command("preflight")(covers("jobs.preflight")(submitting.preflight))
app.command("usage")(compute.usage)
EMPTY = "No job yet. Submit one: dlsys submit NOTEBOOK.ipynb -d data=DATASET"
FOLLOW_SECONDS = 0.5


class StateName(str, Enum):
    """States of a job."""

    queued = "queued"
    starting = "starting"
    running = "running"
    cancelling = "cancelling"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    skipped = "skipped"
    lost = "lost"


def follow(job: str, as_json: bool) -> None:
    """A job to its end, as this session shows it."""
    client = session.client()
    viewer = session.current().viewer
    if viewer is not None and not as_json:
        viewer(client, job)
        return
    if as_json:
        for event in client.jobs.watch(job):
            _json_line(event)
    else:
        from jupyter_dlsys.cli.watching import show_until_end

        show_until_end(client, job)
    _leave_with(client.jobs.show(job))


def _json_line(value: Any) -> None:
    import json

    sys.stdout.write(json.dumps(session.plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _leave_with(job: Job) -> None:
    if not job.succeeded:
        raise typer.Exit(124 if job.exit_reason == "timeout" else 1)


@app.callback(invoke_without_command=True)
def jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """Training: watch, read, stop. Alone: the list."""
    if context.invoked_subcommand is None:
        list_jobs(state=None, limit=20, as_json=as_json)


@app.command("list")
@covers("jobs.list")
def list_jobs(
    state: Annotated[list[StateName] | None, typer.Option(help="Only in this state.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Jobs, newest first."""
    from jupyter_dlsys.client import words

    found = session.client().jobs.list([s.value for s in state or ()], limit)
    if as_json or not found:
        output.table(found, [], as_json, empty=EMPTY)
        return
    rows = [
        {
            "id": job.id,
            "name": job.name,
            "state": words.state(job),
            "place": str(job.queue_position or ""),
            "forecast": job.forecast.words if job.forecast else "",
            "attempt": f"{job.attempt} of {job.retries + 1}" if job.attempt > 1 else "",
            "start": job.start.mode if job.start else "",
            "cells": f"{job.progress.done}/{job.progress.total}" if job.progress.total else "",
            "took": words.seconds(took) if (took := words.elapsed(job)) is not None else "",
            "metrics": ", ".join(
                f"{k}={words.number(v)}" for k, v in list(job.metrics.items())[:3]
            ),
            "submitted": words.ago(job.created_at),
        }
        for job in found
    ]
    headings = [name for name in rows[0] if any(row[name] for row in rows)]
    output.draw(headings, [[row[name] for name in headings] for row in rows])


@app.command("queue")
@covers("jobs.queue")
def queue(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Jobs that wait, in the order in which they will start, and why they wait."""
    from jupyter_dlsys.client import words

    found = session.client().jobs.queue(limit)
    if as_json or not found:
        output.table(found, [], as_json, empty="No job waits.")
        return
    rows = [
        [
            str(entry.position),
            entry.job,
            entry.name,
            entry.owner,
            _asked(entry.resources),
            entry.reason,
            entry.forecast.words if entry.forecast else "",
            words.seconds(entry.waiting_seconds),
        ]
        for entry in found
    ]
    output.draw(["place", "id", "name", "owner", "asks for", "why", "forecast", "waits"], rows)


def _asked(resources: Resources) -> str:
    from jupyter_dlsys.client.words import number, size

    gpus = f"{resources.gpu_share:.0%} of a GPU" if resources.gpu_share < 1 else ""
    parts = [
        f"{number(resources.cpus)} CPU" + ("s" if resources.cpus != 1 else ""),
        gpus or (f"{resources.gpus} GPU" + ("s" if resources.gpus > 1 else "")),
        size(resources.memory_bytes) if resources.memory_bytes else "",
    ]
    return ", ".join(part for part in parts if part and not part.startswith("0 "))


@app.command()
@covers("jobs.show")
def show(job: JobId, as_json: AsJson = False) -> None:
    """One job: its state and why, inputs, parameters, results."""
    from jupyter_dlsys.client import words

    found = session.client().jobs.show(job)
    if as_json:
        session.raw(found)
        return
    took = words.elapsed(found)
    about = {
        "id": found.id,
        "source": found.source,
        "submitted": found.created_at,
        "place in the queue": found.queue_position,
        "forecast": found.forecast.words if found.forecast else "",
        "attempt": f"{found.attempt} of {found.retries + 1}" if found.attempt > 1 else "",
        "after": found.after,
        "started": f"{found.start.mode}: {found.start.reason}" if found.start else "",
        "took": words.seconds(took) if took is not None else "",
        "cells": f"{found.progress.done} of {found.progress.total}" if found.progress.total else "",
        "inputs": {k: f"{i.dataset}@v{i.version}" for k, i in found.inputs.items()},
        "parameters": found.parameters,
        "metrics": found.metrics,
        "models": found.models,
        "run": found.run_id,
    }
    output.pairs(f"{found.name}: {words.state(found)}", about)
    if len(found.attempts) > 1:
        rows = [
            [str(a.number), a.state, a.reason, "" if a.checkpoint is None else str(a.checkpoint)]
            for a in found.attempts
        ]
        output.draw(["attempt", "state", "why", "from step"], rows)


@app.command()
@covers("jobs.events")
def watch(job: JobId, as_json: AsJson = False) -> None:
    """Follow a job to its end: progress, live metrics, log. With --json its events, one a line."""
    follow(session.client().jobs.show(job).id, as_json)


@app.command()
@covers("jobs.log")
def logs(
    job: JobId,
    until_end: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """The log."""
    import time

    client = session.client()
    if as_json:
        session.raw({"job": job, "log": client.jobs.log(job)})
        return
    offset = 0
    while True:
        ended = not until_end or client.jobs.show(job).ended
        for text, following in client.jobs.log_pieces(job, offset):
            sys.stdout.write(text)
            offset = following
        sys.stdout.flush()
        if ended:
            return
        time.sleep(FOLLOW_SECONDS)


@app.command()
@covers("jobs.cancel")
def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Stop a job; one that has ended stays as it is."""
    from jupyter_dlsys.client import words

    found = session.client().jobs.cancel(job)
    output.say(found, as_json, f"Job {found.name}: {words.state(found)}")


def warn(made: Job, as_json: bool) -> None:
    """What the platform thinks of a job that it took."""
    for text in () if as_json else made.warnings:
        session.errors().print(f"Warning: {text}", style="yellow")


@app.command()
@covers("jobs.retry")
def retry(
    job: JobId,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a job that has ended again, as a new one with the last checkpoint of the old."""
    made = session.client().jobs.retry(job)
    warn(made, as_json)
    if watch:
        follow(made.id, as_json)
        return
    how = f"Follow it: dlsys jobs watch {made.id}"
    output.say(made, as_json, f"Job {made.name} ({made.id}) is queued. {how}")


@app.command()
@covers("jobs.notebook")
def notebook(
    job: JobId,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="File to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """The executed notebook, as far as it got."""
    client = session.client()
    if as_json and to is None:
        session.raw(client.jobs.notebook(job))
        return
    target = to or Path(f"{Path(client.jobs.show(job).source).stem}-{job[-6:].lower()}.ipynb")
    client.jobs.notebook(job, target)
    output.say({"path": str(target)}, as_json, str(target))


@app.command()
@covers("jobs.artifacts", "jobs.artifact")
def artifacts(
    job: JobId,
    path: Annotated[str | None, typer.Argument(help="Fetch this one.")] = None,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="File to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Files that the job left; with PATH fetch one."""
    client = session.client()
    if path is None:
        found = client.jobs.artifacts(job)
        empty = "It left no files (a job writes them to DLSYS_OUTPUT_DIR)."
        output.table(found, ["path", "bytes:size"], as_json, empty=empty)
        return
    target = to or Path(Path(path).name)
    client.jobs.artifact(job, path, target)
    output.say({"path": str(target)}, as_json, str(target))


@app.command()
@covers("jobs.inspect")
def inspect(
    source: Annotated[Path, typer.Argument(metavar="NOTEBOOK_OR_SCRIPT", help=".ipynb or .py")],
    as_json: AsJson = False,
) -> None:
    """Parameters, inputs and imports of a notebook or script, without running it."""
    found = session.client().jobs.inspect(source)
    if as_json:
        session.raw(found)
        return
    about = {
        "language": found.language,
        "code cells": found.code_cells,
        "inputs": found.inputs,
        "imports": found.imports,
    }
    output.pairs(f"{source.name} ({found.kind})", about)
    if found.parameters:
        rows = [[p.name, p.type, str(p.default), p.comment] for p in found.parameters]
        output.draw(["parameter", "type", "default", ""], rows)
