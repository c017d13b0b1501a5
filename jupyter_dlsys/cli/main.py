"""The `dlsys` command: assembles the verbs, turns errors into plain words and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import (
    agent,
    audit,
    datasets,
    deployments,
    jobs,
    models,
    operating,
    projects,
    quotas,
    schedules,
    session,
    submitting,
    system,
    tokens,
)
from jupyter_dlsys.client.errors import DlsysError

if TYPE_CHECKING:
    from jupyter_dlsys.cli.session import Session

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="dlsys",
    help="A deep-learning system: data, training, models, serving, lineage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (system.app, agent.app, operating.top, submitting.top, models.top, deployments.top):
    app.registered_commands += group.registered_commands
app.add_typer(projects.app, name="projects")
app.add_typer(tokens.app, name="tokens")
app.add_typer(quotas.app, name="quotas")
app.add_typer(audit.app, name="audit")
app.add_typer(datasets.app, name="datasets")
app.add_typer(jobs.app, name="jobs")
app.add_typer(schedules.app, name="schedules")
app.add_typer(models.runs, name="runs")
app.add_typer(models.models, name="models")
app.add_typer(deployments.app, name="endpoints")


def _print_version(wanted: bool) -> None:
    if wanted:
        from jupyter_dlsys import __version__

        sys.stdout.write(f"dlsys {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    project: Annotated[
        str | None, typer.Option("--project", "-P", help="Project; DLSYS_PROJECT else.")
    ] = None,
    home: Annotated[
        str | None, typer.Option(metavar="DIR", help="Data folder; DLSYS_HOME else.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """A deep-learning system: data, training, models, serving, lineage."""
    found = session.current()
    if project or home:
        found.project, found.home, found.client = project or found.project, home, None


@app.command(context_settings=PASSED_ON)
def demo(context: typer.Context) -> None:
    """The whole lab on real data, in five steps."""
    from jupyter_dlsys.cli.demo import main as run_demo

    raise typer.Exit(run_demo(context.args))


@app.command(context_settings=PASSED_ON)
def lab(
    context: typer.Context,
    workspace: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of notebooks with its data folder in it.")
    ] = ".demo",
) -> None:
    """JupyterLab on a workspace, with its data; further options go to JupyterLab."""
    from jupyter_dlsys.cli.lab import main as run_lab

    run_lab(workspace, context.args)


def run(arguments: Sequence[str], given: Session | None = None) -> int:
    """Run one command; its exit status. Errors of ours are raised.

    Raises:
        DlsysError: the command could not do what it should.
        typer.BadParameter's base: the arguments are wrong.
    """
    kept = given.client if given else None
    with session.session(given or session.Session()) as used:
        try:
            command = typer.main.get_command(app)
            status = command.main(list(arguments), prog_name="dlsys", standalone_mode=False)
        finally:
            if used.client is not None and used.client is not kept:
                used.client.close()
    return status if isinstance(status, int) else DONE


def main() -> None:
    """Entry point of `dlsys`."""
    sys.exit(guarded(sys.argv[1:]))


def guarded(arguments: Sequence[str]) -> int:
    """Run one command; whatever goes wrong becomes a message and an exit status."""
    try:
        return run(arguments)
    except DlsysError as error:
        _report(error, "--json" in arguments)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _quiet_stdout()
        return FAILED
    except Exception as error:
        if not is_usage_error(error):
            raise
        session.errors().print(usage_message(error))
        return USAGE


def _quiet_stdout() -> None:
    """The reader of the pipe is gone; the interpreter must not complain at its end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: DlsysError, as_json: bool) -> None:
    if as_json:
        import json

        sys.stderr.write(json.dumps({"error": error.as_dict()}, ensure_ascii=False) + "\n")
        return
    console = session.errors()
    first, _, rest = error.message().partition("\n")
    console.print(first, style="bold red")
    if rest:
        console.print(rest)


def is_usage_error(error: BaseException) -> bool:
    """Whether the command line's library found the arguments wrong."""
    return isinstance(error, typer.BadParameter.__mro__[2])


def usage_message(error: Any) -> str:
    """What was wrong with the arguments, and where help is."""
    path = error.ctx.command_path if getattr(error, "ctx", None) else "dlsys"
    return f"{error.format_message()}\nHint: `{path} --help` shows how."
