"""`%dlsys`: every verb of the command line in a notebook, in this process, with tab completion."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from jupyter_dlsys.cli import main as command_line
from jupyter_dlsys.cli.session import Session, session
from jupyter_dlsys.client import inputs
from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.errors import DlsysError

NAME = "dlsys"
BIND, PROJECT = "bind", "project"


class CommandFailed(Exception):
    """A %dlsys line failed. Shows its message and no traceback; stops 'Run all'."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def load(shell: Any) -> None:
    """Register the magic and its completion, and point plain `mlflow` at the platform."""
    shell.register_magic_function(magic, "line", NAME)
    for key in (f"%{NAME}", NAME):
        shell.set_hook("complete_command", _complete_hook, str_key=key)
    shell.events.register("pre_run_cell", _before_cell)
    if "MLFLOW_TRACKING_URI" in os.environ:
        return
    try:
        inputs.mlflow_env()
    except DlsysError as error:
        sys.stderr.write(f"MLflow is not connected to the platform: {error}\n")


def unload(shell: Any) -> None:
    """Take the magic away."""
    shell.events.unregister("pre_run_cell", _before_cell)
    shell.magics_manager.magics["line"].pop(NAME, None)


def _before_cell(*_: Any) -> None:
    inputs.refresh_mlflow_env()


def magic(line: str) -> None:
    """%dlsys VERB …: as on the command line; `%dlsys bind data=tweets@v1` binds an input by hand.

    `%dlsys project vision` works in that project from here on, `%dlsys project` says which it is.
    `%dlsys submit … --watch` and `%dlsys jobs watch JOB` show the job as a widget and go on.
    """
    try:
        arguments = shlex.split(line)
    except ValueError as error:
        raise CommandFailed(f"%dlsys {line}: {error}") from None
    if arguments[:1] == [BIND]:
        _bind(arguments[1:])
        return
    if arguments[:1] == [PROJECT]:
        _project(arguments[1:])
        return
    _run(arguments or ["--help"])


def _run(arguments: Sequence[str]) -> None:
    known = inputs.default_client()
    given = Session(client=known, viewer=_show_job, in_notebook=True)
    try:
        status = command_line.run(arguments, given)
    except DlsysError as error:
        raise CommandFailed(str(error)) from None
    except typer.Abort:
        raise CommandFailed("Stopped.") from None
    except Exception as error:
        if command_line.is_usage_error(error):
            raise CommandFailed(command_line.usage_message(error)) from None
        raise
    if status:
        raise CommandFailed(f"%dlsys {' '.join(arguments[:2])} failed (status {status}).")


def _show_job(client: Client, job: str) -> None:
    from IPython.display import display

    from jupyter_dlsys.widgets.job import JobWidget

    display(JobWidget(job, client))  # type: ignore[no-untyped-call]


def _bind(arguments: Sequence[str]) -> None:
    for item in arguments:
        name, equals, ref = item.partition("=")
        if not (name and equals and ref):
            raise CommandFailed(f"%dlsys bind {item}: write it like data=tweets@v1")
        inputs.bind(name, ref)
    for name, ref in inputs.bindings().items():
        sys.stdout.write(f"{name} = {ref}\n")


def _project(arguments: Sequence[str]) -> None:
    try:
        sys.stdout.write(f"Project {inputs.project(*arguments[:1])}\n")
    except DlsysError as error:
        raise CommandFailed(str(error)) from None


# -- completion --------------------------------------------------------------


def _complete_hook(_shell: Any, event: Any) -> list[str]:
    with session(Session(client=inputs.default_client(), in_notebook=True)):
        return complete(event.line[: len(event.text_until_cursor)], event.symbol)


def complete(line: str, incomplete: str) -> list[str]:
    """What may stand at the end of `line`, where `incomplete` has been typed so far."""
    before = line[: len(line) - len(incomplete)] if incomplete else line
    words = before.split()[1:]
    context, rest = _descend(words)
    command = context.command
    if incomplete.startswith("-"):
        found = [name for p in command.params for name in (*p.opts, *p.secondary_opts)]
        return sorted(name for name in found if name.startswith(incomplete) and name[:1] == "-")
    expected = _expected(command, rest)
    if expected is not None:
        return [item.value for item in expected.shell_complete(context, incomplete)]
    names = list(getattr(command, "commands", ()))
    if not words:
        names += [BIND, PROJECT]
    return sorted(name for name in names if name.startswith(incomplete))


def _descend(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The context of the innermost command that the words name, and the words after it."""
    command: Any = typer.main.get_command(command_line.app)
    context = command.make_context(NAME, [], resilient_parsing=True)
    rest: list[str] = []
    for word in words:
        inner = getattr(command, "commands", {}).get(word)
        if inner is None or rest:
            rest.append(word)
            continue
        command = inner
        context = command.make_context(word, [], parent=context, resilient_parsing=True)
    return context, rest


def _expected(command: Any, rest: Sequence[str]) -> Any:
    """The parameter whose value comes next; None when a sub-command may come."""
    options = {name: p for p in command.params for name in p.opts if name.startswith("-")}
    if rest and rest[-1] in options and not getattr(options[rest[-1]], "is_flag", False):
        return options[rest[-1]]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    given = len(list(_positional(rest, options)))
    if not arguments or (given >= len(arguments) and arguments[-1].nargs != -1):
        return None
    return arguments[min(given, len(arguments) - 1)]


def _positional(rest: Sequence[str], options: dict[str, Any]) -> Iterator[str]:
    value_of_option = False
    for word in rest:
        if value_of_option:
            value_of_option = False
        elif word.startswith("-"):
            option = options.get(word)
            value_of_option = option is not None and not getattr(option, "is_flag", False)
        else:
            yield word
