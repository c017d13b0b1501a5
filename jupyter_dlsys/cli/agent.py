"""`dlsys agent`: your jobs run here while it does."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jupyter_dlsys.cli import session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson

app = typer.Typer(rich_markup_mode=None)


@app.command()
@covers("agents.poll", "agents.take", "agents.read", "agents.send", "agents.finish")
def agent(
    folder: Annotated[
        Path | None, typer.Option(help="For its files. [default: in Jupyter's data folder]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run your jobs on this machine, until Ctrl-C; they end with it and are tried again.

    Needs a platform with DLSYS_LAUNCHER=agent. A Jupyter server of its hub does this by itself.
    """
    from jupyter_dlsys.agent.loop import Agent, default_folder

    def say(words: str) -> None:
        if as_json:
            sys.stdout.write(json.dumps({"said": words}) + "\n")
            sys.stdout.flush()
        else:
            session.console().print(words, highlight=False)

    found = Agent(session.client(), (folder or default_folder()).resolve(), say)

    def end(*_: Any) -> None:
        found.stop()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    say(f"Your jobs run here, in {folder or default_folder()}. Ctrl-C ends them, too.")
    try:
        say(found.run())
    except KeyboardInterrupt:
        say("Stopped: jobs that ran here are tried again.")
