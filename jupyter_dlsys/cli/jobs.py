"""dlsys submit, dlsys jobs …"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import (
    AsJson,
    JobId,
    Limit,
    Seed,
    Split,
    Where,
    complete_input,
    pairs,
    split_of,
    value_of,
)

if TYPE_CHECKING:
    from jupyter_dlsys.client.results import Job

app = typer.Typer(rich_markup_mode=None, help="Training: watch, read, stop.")
top = typer.Typer(rich_markup_mode=None)
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


@top.command()
@covers("jobs.submit")
def submit(
    source: Annotated[Path, typer.Argument(metavar="NOTEBOOK_OR_SCRIPT", help=".ipynb or .py")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="NAME=DATASET",
            help="Bind a dataset; repeat for more.",
            autocompletion=complete_input,
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="K=V", help="Parameter; repeat for more."),
    ] = None,
    where: Where = None,
    split: Split = None,
    seed: Seed = 0,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs for this job alone.")] = 0,
    cpus: Annotated[float, typer.Option(help="CPU slots.")] = 1,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Limit, e.g. 4G.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="End after.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher is earlier.")] = 0,
    name: Annotated[str, typer.Option(help="For people; the file's name else.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a notebook or script as a job, with its data, parameters and environment kept."""
    how = {"where": where, "split": split_of(split), "seed": seed}
    client = session.client()
    made = client.jobs.submit(
        source,
        inputs={key: {"dataset": ref, **how} for key, ref in pairs(data, "-d").items()},
        parameters={key: value_of(text) for key, text in pairs(parameter, "-p").items()},
        name=name,
        cpus=cpus,
        gpus=gpus,
        memory=memory,
        priority=priority,
        timeout=timeout,
    )
    if not watch:
        follow = f"Follow it: dlsys jobs watch {made.id}"
        output.say(made, as_json, f"Job {made.name} ({made.id}) is queued. {follow}")
        return
    _watch(made.id, as_json)


def _watch(job: str, as_json: bool) -> None:
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
        [
            job.id,
            job.name,
            words.state(job),
            f"{job.progress.done}/{job.progress.total}" if job.progress.total else "",
            words.seconds(took) if (took := words.elapsed(job)) is not None else "",
            ", ".join(f"{k}={words.number(v)}" for k, v in list(job.metrics.items())[:3]),
            words.ago(job.created_at),
        ]
        for job in found
    ]
    output.draw(["id", "name", "state", "cells", "took", "metrics", "submitted"], rows)


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
        "took": words.seconds(took) if took is not None else "",
        "cells": f"{found.progress.done} of {found.progress.total}" if found.progress.total else "",
        "inputs": {k: f"{i.dataset}@v{i.version}" for k, i in found.inputs.items()},
        "parameters": found.parameters,
        "metrics": found.metrics,
        "models": found.models,
        "run": found.run_id,
    }
    output.pairs(f"{found.name}: {words.state(found)}", about)


@app.command()
@covers("jobs.events")
def watch(job: JobId, as_json: AsJson = False) -> None:
    """Follow a job to its end: progress, live metrics, log. With --json its events, one a line."""
    _watch(session.client().jobs.show(job).id, as_json)


@app.command()
@covers("jobs.log")
def logs(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
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
        ended = not follow or client.jobs.show(job).ended
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
    for finding in found.findings:
        session.console().print(f"! {finding}")
