"""migrate, backup, restore: for the person who operates the platform, on the machine it runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import session
from jupyter_dlsys.cli.options import AsJson
from jupyter_dlsys.client.words import seconds, size

if TYPE_CHECKING:
    from collections.abc import Callable

top = typer.Typer(rich_markup_mode=None)
PHASES = {
    "databases": "Databases",
    "looking": "Looking what is in the store",
    "files": "Files",
    "verifying": "Verifying",
    "moving aside": "Moving the old data aside",
    "migrating": "Bringing the databases to this version",
}
Json = dict[str, Any]


@top.command()
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only tell; status 1 when there is something to do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the databases to the schema of this program. A platform does so when it starts."""
    status, done = _run(["migrate", *(["--check"] if check else [])], as_json)
    if not as_json:
        for step in done["steps"]:
            session.console().print(_step(step, check))
    raise typer.Exit(status)


@top.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="New, or with earlier backups.")],
    as_json: AsJson = False,
) -> None:
    """Copy databases and object store into a folder, while the platform runs.

    Into a folder with an earlier backup only what is new is copied.
    """
    status, done = _run(["backup", str(folder.expanduser().absolute())], as_json)
    if not as_json:
        copied = f"{done['copied_files']:,} copied now, {size(done['copied_bytes'])}"
        session.console().print(
            f"{done['folder']}: {done['files']:,} files, {size(done['bytes'])} "
            f"({copied}) in {seconds(done['seconds'])}."
        )
        _tell_damage(done)
    raise typer.Exit(status)


@top.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="SRC", help="A backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what is there aside, and keep it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only verify every file of the backup.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place. Every file of it is verified before anything is touched."""
    options = [*(["--replace"] if replace else []), *(["--check"] if check else [])]
    status, done = _run(["restore", str(folder.expanduser().absolute()), *options], as_json)
    if not as_json:
        what = "is whole" if check else "is restored"
        session.console().print(
            f"The backup of {done['made']} {what}: {done['files']:,} files, {size(done['bytes'])}."
        )
        if done.get("aside"):
            session.console().print(f"The old data lies in folders named {done['aside']}.")
        if done.get("jobs"):
            session.console().print(
                f"Jobs that ran at that time: {done['jobs']}. They are tried again or lost."
            )
        _tell_damage(done)
    raise typer.Exit(status)


def _step(step: Json, check: bool) -> str:
    name, found, wanted = step["database"], step["from"] or "nothing", step["to"]
    if not step["due"]:
        return f"{name}: {wanted}, nothing to do"
    return f"{name}: {found} → {wanted}{' is due' if check else ''}"


def _tell_damage(done: Json) -> None:
    if names := done["damaged"]:
        session.errors().print(
            f"{len(names)} blobs are damaged or missing in the store and not in the backup, the "
            f"first is {names[0]}.\nHint: `dlsys restore` of an older backup may have them.",
            style="bold red",
        )


def _run(arguments: list[str], as_json: bool) -> tuple[int, Json]:
    """Run a command of the platform's program; its exit status and what it said at the end.

    Raises:
        NotInstalled: the libraries of the platform are missing.
        UsageError: the platform is on another machine.
        ApiError: the command was refused or failed.
    """
    from jupyter_dlsys.client.errors import StartFailed, from_answer

    command = [sys.executable, "-m", "dlsys_server", *_home(), *arguments, "--json"]
    last: Json = {}
    with _progress(as_json) as tell, _started(command) as process:
        for line in process.stdout or ():
            last = json.loads(line)
            tell(last)
    if last.get("event") == "failed":
        raise from_answer(last["status"], last)
    if last.get("event") != "done":
        raise StartFailed(
            f"The command ended with status {process.returncode} before it was done.",
            hint="Its last words are above.",
        )
    if as_json:
        session.raw({name: value for name, value in last.items() if name != "event"})
    return process.returncode, last


def _home() -> list[str]:
    from jupyter_dlsys.client import embedded
    from jupyter_dlsys.client.errors import UsageError

    if os.environ.get("DLSYS_URL"):
        raise UsageError(
            "The platform is another one's (DLSYS_URL is set).",
            hint="Run this on the platform's machine, as its account and with its settings.",
        )
    embedded.require_server()
    given = session.current().home
    home = Path(given).expanduser().resolve() if given else embedded.default_home()
    return ["--home", str(home)]


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    from jupyter_dlsys.client import embedded

    environment = embedded.platform_environment()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        except BaseException:  # Ctrl-C reaches it, too; it leaves nothing half
            process.terminate()
            raise


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Json], None]]:
    """A bar in a terminal, a line for each phase in a pipe, nothing with --json."""
    if as_json:
        yield lambda event: None
        return
    if not session.interactive():
        told: list[str] = []

        def line(event: Json) -> None:
            if event["event"] == "progress" and event["phase"] not in told:
                told.append(event["phase"])
                session.note(f"{PHASES.get(event['phase'], event['phase'])} …")

        yield line
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=session.errors(), transient=True) as bar:
        task = bar.add_task("", total=None, said="")

        def draw(event: Json) -> None:
            if event["event"] == "progress":
                name = PHASES.get(event["phase"], event["phase"])
                total = event["bytes_total"] or None
                bar.update(
                    task, description=name, total=total, completed=event["bytes"], said=_said(event)
                )

        yield draw


def _said(event: Json) -> str:
    if not event["files_total"]:
        return ""
    left = event["seconds_left"]
    done = f"{event['files']:,}/{event['files_total']:,} files, {size(event['bytes'])} of "
    return done + size(event["bytes_total"]) + (f", {seconds(left)} left" if left else "")
