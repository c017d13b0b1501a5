"""Answers as tables and sentences, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_dlsys.cli import session

IDS = frozenset({"id", "run", "hash"})


def table(
    value: Iterable[Any], columns: Sequence[str], as_json: bool, *, empty: str, title: str = ""
) -> None:
    """A list as a table of these fields, or as JSON.

    `columns` are field names; 'field:Heading' gives another heading.
    """
    items = list(value)
    if as_json:
        session.raw(items)
    elif not items:
        session.console().print(empty, style="dim")
    else:
        rows = [[_text(getattr(item, c.partition(":")[0]), c) for c in columns] for item in items]
        draw([_heading(c) for c in columns], rows, title)


def draw(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table of texts."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title or None, title_justify="left")
    for heading in headings:
        whole = heading in IDS  # to be copied
        found.add_column(heading, overflow="fold", min_width=len(heading), no_wrap=whole)
    for row in rows:
        found.add_row(*(Text(cell) for cell in row))
    session.console().print(found)


def pairs(title: str, values: Mapping[str, Any]) -> None:
    """A title and what there is to say, a line each; empty values are left out."""
    from rich.table import Table
    from rich.text import Text

    console = session.console()
    if title:
        console.print(Text(title, style="bold"))
    found = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    for name, value in values.items():
        if value not in (None, "", [], {}):
            found.add_row(Text(name, style="dim"), Text(_text(value, name)))
    if found.row_count:
        console.print(found)


def say(value: Any, as_json: bool, sentence: str) -> None:
    """One sentence, or the value as JSON."""
    if as_json:
        session.raw(value)
    else:
        session.console().print(sentence)


def _heading(column: str) -> str:
    field, _, heading = column.partition(":")
    return heading or field.replace("_", " ")


def _text(value: Any, column: str) -> str:
    from jupyter_dlsys.client.views import text

    return text(value, column.partition(":")[0])
