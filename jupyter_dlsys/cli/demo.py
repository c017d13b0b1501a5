"""`dlsys demo`: the whole lab on real data in five steps, with every claim checked."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_dlsys.cli.lab import ADDRESS, WORKSPACE
from jupyter_dlsys.client.errors import DlsysError, UsageError

if TYPE_CHECKING:
    from jupyter_dlsys.cli.demo_show import Show
    from jupyter_dlsys.cli.demo_steps import Lab
    from jupyter_dlsys.cli.demo_summary import Summary
    from jupyter_dlsys.client.client import Client

STOP_SECONDS = 60.0
FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 only when every step held.

    Args:
        arguments: of the command line, see `--help`.
    """
    try:
        given = _parser().parse_args(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    from jupyter_dlsys.cli import session
    from jupyter_dlsys.cli.demo_show import Show
    from jupyter_dlsys.cli.demo_summary import Summary
    from jupyter_dlsys.client.client import connect

    workspace = Path(given.workspace).expanduser().resolve()
    summary = Summary(workspace=str(workspace), home=str(workspace / "home"))
    show = Show(to_stderr=given.json)
    prepare(workspace, _examples(given.examples), show)
    with connect(project="default", home=workspace / "home") as client:
        try:
            _run(client, workspace, show, summary)
        finally:
            if given.down:
                _down(client, workspace / "home", show)
    if given.json:
        session.raw(summary.as_dict())
    if summary.ok:
        _farewell(show, workspace, given.down)
    return 0 if summary.ok else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dlsys demo",
        description="The whole lab on real data, in five steps; exit status 0 only if all held.",
    )
    parser.add_argument(
        "--workspace", metavar="DIR", default=WORKSPACE, help="default: %(default)s"
    )
    parser.add_argument(
        "--examples", metavar="DIR", help="folder of the notebooks; found by itself in a checkout"
    )
    parser.add_argument("--down", action="store_true", help="stop the platform at the end")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _examples(given: str | None) -> Path:
    from jupyter_dlsys.cli.demo_steps import NOTEBOOKS

    beside = Path(__file__).resolve().parents[2] / "examples"
    installed = Path(sys.prefix) / "share" / "jupyter-dlsys" / "examples"
    places = [Path(given).expanduser()] if given else [beside, Path("examples"), installed]
    for place in places:
        if all((place / name).is_file() for name in NOTEBOOKS):
            return place
    raise UsageError(
        f"The notebooks {' and '.join(NOTEBOOKS)} are not in {places[0]}.",
        hint="Run it in a checkout of jupyter-dlsys, or say where they are: --examples DIR",
    )


def prepare(workspace: Path, examples: Path, show: Show) -> None:
    """The workspace's folder with fresh copies of the notebooks."""
    from jupyter_dlsys.cli.demo_steps import copy_notebooks

    workspace.mkdir(parents=True, exist_ok=True)
    for kept in copy_notebooks(examples, workspace):
        show.say(f"Your edited notebook is kept as {kept}", "dim")


def _run(client: Client, workspace: Path, show: Show, summary: Summary) -> None:
    from jupyter_dlsys.cli.demo_steps import Lab

    lab = Lab(client, workspace, show, summary)
    begun = time.monotonic()
    for number, (title, step) in enumerate(_steps(lab), 1):
        entry = lab.begin(title)
        show.step(number, title)
        start = time.monotonic()
        try:
            step()
        except DlsysError as error:
            summary.error = {"step": number, "title": title, **error.as_dict()}
            show.failed(f"Step {number}, {title}", error.detail, error.hint)
            return
        finally:
            entry.seconds = round(time.monotonic() - start, 2)
            summary.seconds = round(time.monotonic() - begun, 2)
        show.done(entry.seconds)
    summary.ok = True
    show.console.print()
    summary.print(show)


def _steps(lab: Lab) -> list[tuple[str, Callable[[], None]]]:
    return [
        ("System up", lab.system_up),
        ("Data engineer: commit data", lab.commit_data),
        ("Data scientist: train as a job", lab.train),
        ("Application developer: predict", lab.serve),
        ("Second round: a new label", lab.second_round),
    ]


def _down(client: Client, home: Path, show: Show) -> None:
    from jupyter_dlsys.client import embedded

    if embedded.running(home) is None:
        return
    client.system.shutdown("cancel")
    if embedded.wait_until_gone(home, STOP_SECONDS):
        show.say("The platform has stopped.", "dim")
    else:
        show.say(f"The platform is still stopping; its log is in {home / 'logs'}", "yellow")


def _farewell(show: Show, workspace: Path, down: bool) -> None:
    home, folder = shlex.quote(str(workspace / "home")), shlex.quote(str(workspace))
    show.console.print(f"Every step held. The workspace is {workspace}", style="bold green")
    default = workspace == Path(WORKSPACE).resolve()
    command = "make lab" if default else f"dlsys lab --workspace {folder}"
    show.console.print(f"Look at it in JupyterLab: {command}", soft_wrap=True)
    show.console.print(f"  then open {ADDRESS}", soft_wrap=True)
    if not down:
        show.console.print(
            f"The endpoint goes on answering. Stop everything: dlsys --home {home} down",
            soft_wrap=True,
        )
