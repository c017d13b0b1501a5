"""dlsys submit, dlsys jobs preflight: what a job is given, and the look before it starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import (
    AsJson,
    Seed,
    Split,
    Where,
    complete_input,
    complete_job,
    pairs,
    split_of,
    value_of,
)

if TYPE_CHECKING:
    from jupyter_dlsys.contract.preflight import PreflightReport

top = typer.Typer(rich_markup_mode=None)
FOUND = 4
MARKS = {"error": ("error", "bold red"), "warning": ("warning", "yellow"), "info": ("note", "dim")}

Source = Annotated[Path, typer.Argument(metavar="NOTEBOOK_OR_SCRIPT", help=".ipynb or .py")]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        "-d",
        metavar="NAME=DATASET",
        help="Bind a dataset; repeat for more.",
        autocompletion=complete_input,
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="K=V", help="Parameter; repeat for more."),
]
Gpus = Annotated[int, typer.Option(min=0, help="GPUs for this job alone.")]
GpuShare = Annotated[
    float, typer.Option(metavar="PART", help="Below 1: share its GPU, with this part of memory.")
]
Cpus = Annotated[float, typer.Option(help="CPU slots.")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Limit, e.g. 4G.")]
MaxMemory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Out of memory is retried with up to this.")
]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="End after.")]
Priority = Annotated[int, typer.Option(min=-100, max=100, help="Higher is earlier.")]
Retries = Annotated[int, typer.Option(min=0, help="More attempts when its worker is lost.")]
After = Annotated[
    list[str] | None,
    typer.Option(metavar="JOB", help="Start after this succeeded.", autocompletion=complete_job),
]
Variables = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Environment variable.")
]
Cold = Annotated[bool, typer.Option("--cold", help="In a fresh process, not a warm one.")]
JobName = Annotated[str, typer.Option(help="For people; the file's name else.")]


def _given(
    source: Source,
    data: Data = None,
    parameter: Parameters = None,
    where: Where = None,
    split: Split = None,
    seed: Seed = 0,
    gpus: Gpus = 0,
    gpu_share: GpuShare = 1,
    cpus: Cpus = 1,
    memory: Memory = None,
    max_memory: MaxMemory = None,
    timeout: Timeout = None,
    priority: Priority = 0,
    retries: Retries = 2,
    after: After = None,
    env: Variables = None,
    cold: Cold = False,
    name: JobName = "",
) -> dict[str, Any]:
    """Arguments of the SDK's submit."""
    how = {"where": where, "split": split_of(split), "seed": seed}
    return {
        "path": source,
        "inputs": {key: {"dataset": ref, **how} for key, ref in pairs(data, "-d").items()},
        "parameters": {key: value_of(text) for key, text in pairs(parameter, "-p").items()},
        "name": name,
        "cpus": cpus,
        "gpus": gpus,
        "gpu_share": gpu_share,
        "memory": memory,
        "max_memory": max_memory,
        "priority": priority,
        "timeout": timeout,
        "retries": retries,
        "after": after or [],
        "variables": pairs(env, "-e"),
        "cold": cold,
    }


def takes_submission(command: Callable[..., None]) -> Callable[..., None]:
    """The options of `_given` before the command's own, behind its arguments without a default; it
    gets what they come to as `given`."""
    shared, hints = signature(_given).parameters, get_type_hints(_given, include_extras=True)
    own = {n: p for n, p in signature(command).parameters.items() if n != "given"}
    own_hints = get_type_hints(command, include_extras=True)
    first = {n: p for n, p in own.items() if p.default is Parameter.empty}
    order = {**first, **shared, **own}

    @wraps(command)
    def run(**options: Any) -> None:
        given = _given(**{name: options.pop(name) for name in shared})
        command(given=given, **options)

    run.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
        parameters=[
            p.replace(kind=Parameter.KEYWORD_ONLY, annotation=(hints | own_hints)[n])
            for n, p in order.items()
        ]
    )
    run.__annotations__ = {n: (hints | own_hints)[n] for n in order} | {"return": None}
    return run


Look = Annotated[
    bool, typer.Option("--preflight/--no-preflight", help="Look first what would go wrong.")
]


@top.command()
@covers("jobs.submit")
@takes_submission
def submit(
    given: dict[str, Any],
    look: Look = True,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a notebook or script as a job, with its data, parameters and environment kept."""
    from jupyter_dlsys.cli.jobs import follow, warn

    client = session.client()
    if look:
        look_first(given, as_json)
    made = client.jobs.submit(**given)
    warn(made, as_json or look)  # the look has said it already
    if watch:
        follow(made.id, as_json)
        return
    hint = f"Follow it: dlsys jobs watch {made.id}"
    output.say(made, as_json, f"Job {made.name} ({made.id}) is queued. {hint}")


def look_first(given: dict[str, Any], as_json: bool) -> None:
    """Say what may go wrong with a submission.

    Raises:
        PreflightFailed: something will.
    """
    from jupyter_dlsys.client.preflight import PreflightFailed

    report, is_script = session.client().jobs.preflight(**given), _is_script(given)
    if not as_json:
        _show(report, session.errors(), {"warning"}, is_script)
    if not report.ok:
        raise PreflightFailed(report, is_script=is_script)


def _is_script(given: dict[str, Any]) -> bool:
    return Path(given["path"]).suffix == ".py"


@takes_submission
def preflight(given: dict[str, Any], as_json: AsJson = False) -> None:
    """What would go wrong with a submission, and what mends it; nothing is run.

    Ends with status 4 when the job would fail.
    """
    from jupyter_dlsys.client.preflight import counts

    report = session.client().jobs.preflight(**given)
    if as_json:
        session.raw(report)
    else:
        console = session.console()
        _show(report, console, set(MARKS), _is_script(given))
        source = Path(given["path"]).name
        console.print(f"{source}: {counts(report.findings)} found in {report.seconds:.2f} s.")
        if report.forecast and report.forecast.words:
            console.print(f"It {report.forecast.words}.")
    if not report.ok:
        raise typer.Exit(FOUND)


def _show(report: PreflightReport, console: Any, severities: set[str], is_script: bool) -> None:
    from rich.text import Text

    from jupyter_dlsys.client.preflight import line

    for finding in report.findings:
        if finding.severity in severities:
            word, style = MARKS[finding.severity]
            console.print(Text.assemble((f"{word}: ", style), line(finding, is_script)))
