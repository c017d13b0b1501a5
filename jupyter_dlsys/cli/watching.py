"""A job in a terminal: a bar, live metrics and the tail of the log; plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from jupyter_dlsys.cli import session
from jupyter_dlsys.client.picture import Picture
from jupyter_dlsys.client.words import number, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_dlsys.client.client import Client
    from jupyter_dlsys.contract.base import Event

LOG_LINES = 8
PER_SECOND = 8
METRICS_SECONDS = 1.0
BLOCKS = "▁▂▃▄▅▆▇█"


def show_until_end(client: Client, job: str) -> Picture:
    """Follow a job to its end; Ctrl-C leaves the job running."""
    name = client.jobs.show(job).name
    picture = Picture()
    try:
        if session.interactive():
            _live(client, job, name, picture)
        else:
            lines = _Lines(name, picture)
            for event in client.jobs.watch(job):
                lines.tell(event)
    except KeyboardInterrupt:
        session.note(f"The job goes on. Follow it again: dlsys jobs watch {job}")
        raise
    if picture.state != "succeeded":
        for line in picture.tail(30):
            session.errors().print(line)
    return picture


def _live(client: Client, job: str, name: str, picture: Picture) -> None:
    from rich.live import Live

    started, drawn = time.monotonic(), 0.0
    with Live(_view(name, picture, 0), auto_refresh=False, console=session.console()) as live:
        for event in client.jobs.watch(job):
            picture.apply(event)
            if time.monotonic() - drawn > 1 / PER_SECOND or picture.ended:
                drawn = time.monotonic()
                live.update(_view(name, picture, drawn - started), refresh=True)
        live.update(_view(name, picture, time.monotonic() - started), refresh=True)


def _view(name: str, picture: Picture, elapsed: float) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(1, picture.total), completed=picture.done, width=30)
    cells = f"{picture.done}/{picture.total}" if picture.total else ""
    head.add_row(
        Text(name, style="bold"), bar, Text(cells), Text(_state(picture)), seconds(elapsed)
    )
    curves = Table.grid(padding=(0, 2))
    for key, points in sorted(picture.curves.items())[:8]:
        values = [value for _, value in points]
        curves.add_row(Text(f"  {key}"), Text(number(values[-1])), Text(sparkline(values)))
    width = session.console().width - 4
    tail = [] if picture.ended else picture.tail(LOG_LINES)
    log = Text("\n".join(f"  {line[:width]}" for line in tail), style="dim")
    return Group(head, curves, log)


def _state(picture: Picture) -> str:
    same = picture.reason.lower() == picture.state
    return picture.reason if same or not picture.reason else f"{picture.state}: {picture.reason}"


def sparkline(values: list[float], width: int = 40) -> str:
    """The last values as blocks of different height."""
    shown = values if len(values) <= width else values[:: -(-len(values) // width)]
    low, high = min(shown), max(shown)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[int((value - low) * scale)] for value in shown)


class _Lines:
    """For a pipe: a line when the state or progress changes, and for metrics now and then."""

    def __init__(self, name: str, picture: Picture) -> None:
        self._name, self._picture = name, picture
        self._told: tuple[object, ...] = ()
        self._at = 0.0

    def tell(self, event: Event) -> None:
        """Take one more event."""
        picture = self._picture
        picture.apply(event)
        now = (picture.state, picture.reason, picture.done)
        overdue = event.topic == "job.metric" and time.monotonic() - self._at > METRICS_SECONDS
        if now == self._told and not overdue:
            return
        self._told, self._at = now, time.monotonic()
        cells = f" {picture.done}/{picture.total}" if picture.total else ""
        metrics = ", ".join(f"{k}={number(v)}" for k, v in sorted(picture.latest().items()))
        line = f"{self._name}{cells} {_state(picture)}{'  ' + metrics if metrics else ''}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
