"""How the demo looks: steps with times, live bars of jobs, tables, trees."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.cli.watching import sparkline
from jupyter_dlsys.client.picture import Picture
from jupyter_dlsys.client.words import number, seconds, short

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.tree import Tree

    from jupyter_dlsys.client.client import Client
    from jupyter_dlsys.client.results import Job, Lineage

PER_SECOND = 8
CURVES = ("loss", "val_accuracy")
SHOWN_METRICS = ("loss", "val_accuracy", "test_accuracy")


class Show:
    """Where the demo speaks."""

    def __init__(self, to_stderr: bool) -> None:
        from rich.console import Console

        self.console: Console = Console(
            stderr=to_stderr, highlight=False, emoji=False, markup=False
        )

    def step(self, number: int, title: str) -> None:
        """A step begins."""
        from rich.text import Text

        self.console.print()
        self.console.print(Text(f"{number}  {title}", style="bold cyan"))

    def done(self, took: float) -> None:
        """A step is over."""
        self.say(f"{seconds(took)}", style="dim")

    def say(self, text: str, style: str = "") -> None:
        """One line of a step."""
        self.console.print(f"   {text}", style=style or None)

    def held(self, what: str) -> None:
        """A check that held."""
        from rich.text import Text

        self.console.print(Text.assemble("   ", ("✓ ", "green"), what))

    def failed(self, step: str, detail: str, hint: str) -> None:
        """The end of a demo that did not work."""
        self.console.print()
        self.console.print(f"✗ {step}: {detail}", style="bold red")
        if hint:
            self.console.print(f"  What to do: {hint}")

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
    ) -> None:
        """A table of texts, indented like the rest."""
        from rich import box
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        if title:
            self.say(title, "bold")
        for heading in headings:
            found.add_column(heading, overflow="fold", min_width=len(heading))
        for row in rows:
            found.add_row(*(Text(cell) for cell in row))
        self.console.print(Padding(found, (0, 0, 0, 3)))

    def lineage(self, found: Lineage) -> None:
        """What a thing came from, as a tree."""
        from rich.padding import Padding

        self.console.print(Padding(_tree(found), (0, 0, 0, 3)))

    def follow(self, client: Client, jobs: Sequence[Job]) -> list[Job]:
        """Show jobs side by side until all have ended; the jobs as they are then."""
        pictures = [Picture() for _ in jobs]
        threads = [
            threading.Thread(target=_watch, args=(client, job.id, picture), daemon=True)
            for job, picture in zip(jobs, pictures, strict=True)
        ]
        for thread in threads:
            thread.start()
        names = [job.name for job in jobs]
        if self.console.is_terminal:
            self._live(names, pictures, threads)
        else:
            self._lines(names, pictures, threads)
        return [client.jobs.show(job) for job in jobs]

    def _live(
        self, names: list[str], pictures: list[Picture], threads: list[threading.Thread]
    ) -> None:
        from rich.live import Live

        begun = time.monotonic()
        with Live(_view(names, pictures, 0.0), auto_refresh=False, console=self.console) as live:
            while True:
                going = any(thread.is_alive() for thread in threads)
                live.update(_view(names, pictures, time.monotonic() - begun), refresh=True)
                if not going:
                    return
                time.sleep(1 / PER_SECOND)

    def _lines(
        self, names: list[str], pictures: list[Picture], threads: list[threading.Thread]
    ) -> None:
        """For a pipe or a log: a line whenever a cell is done or the state changes."""
        seen: dict[str, tuple[Any, ...]] = {}
        while True:
            going = any(thread.is_alive() for thread in threads)
            for name, picture in zip(names, pictures, strict=True):
                now = (picture.state, picture.done)
                if seen.get(name) != now:
                    seen[name] = now
                    self.say(f"{name}: {picture.done}/{picture.total} {_words(picture)}")
            if not going:
                return
            time.sleep(0.25)


def _watch(client: Client, job: str, picture: Picture) -> None:
    for event in client.jobs.watch(job):
        picture.apply(event)


def _words(picture: Picture) -> str:
    latest = picture.latest()
    metrics = "  ".join(f"{key} {number(latest[key])}" for key in SHOWN_METRICS if key in latest)
    return f"{picture.reason or picture.state}  {metrics}".rstrip()


def _view(names: list[str], pictures: list[Picture], elapsed: float) -> RenderableType:
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    found = Table.grid(padding=(0, 2))
    for name, picture in zip(names, pictures, strict=True):
        bar = ProgressBar(total=max(1, picture.total), completed=picture.done, width=24)
        cells = f"{picture.done}/{picture.total}" if picture.total else ""
        found.add_row(Text(name, style="bold"), bar, Text(cells), Text(_words(picture)))
        for key in CURVES:
            values = [value for _, value in list(picture.curves.get(key, []))]
            if len(values) > 1:
                found.add_row(Text(f"  {key}", style="dim"), Text(sparkline(values, 24)))
    found.add_row(Text(seconds(elapsed), style="dim"))
    return Padding(found, (0, 0, 0, 3))


def _tree(found: Lineage) -> Tree:
    from rich.tree import Tree

    nodes = {node.id: node for node in found.nodes}
    before: dict[str, list[str]] = {}
    for edge in found.edges:
        before.setdefault(edge.target, []).append(edge.source)

    def title(id: str) -> str:
        node = nodes[id]
        kind = node.type.replace("_", " ")
        name, about = node.name, node.properties
        if node.type == "snapshot":
            return f"{kind} {short(name)}, {number(about.get('rows'))} rows"
        if node.type == "dataset_version":
            return f"{kind} {name} {short(about.get('hash'))}, {number(about.get('rows'))} rows"
        if node.type == "run":
            return f"{kind} {short(name)} of job {about.get('title')}"
        return f"{kind} {name}"

    def grow(tree: Tree, id: str, path: tuple[str, ...]) -> None:
        for source in sorted(before.get(id, ())):
            if source in nodes and source not in path:
                grow(tree.add(title(source)), source, (*path, source))

    tree = Tree(title(found.root))
    grow(tree, found.root, (found.root,))
    return tree
