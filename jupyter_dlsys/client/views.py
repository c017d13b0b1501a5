"""How results show themselves in a notebook: small escaped HTML tables in the theme's colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel

from jupyter_dlsys.client import words

T = TypeVar("T")
SHOWN_ROWS = 50
CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
DIM = "color:var(--jp-ui-font-color2,#666)"


class Shown:
    """Mixin for a model of the contract: the named fields as a table."""

    shown: ClassVar[Sequence[str]] = ()

    def _repr_html_(self) -> str:
        return pairs_html(self._title(), {name: getattr(self, name) for name in self.shown})

    def _title(self) -> str:
        return type(self).__name__


class Listing(list[T]):
    """A list that shows itself as a table."""

    def _repr_html_(self) -> str:
        rows = [cells(item) for item in self[:SHOWN_ROWS]]
        left = len(self) - len(rows)
        more = f'<div style="{DIM}">… and {left} more</div>' if left else ""
        return (table_html(rows) + more) if rows else f'<div style="{DIM}">Nothing here yet.</div>'


def cells(item: Any) -> dict[str, Any]:
    """The fields of an item that a list shows."""
    if isinstance(item, Shown):
        return {name: getattr(item, name) for name in item.shown}
    if isinstance(item, BaseModel):
        return {name: getattr(item, name) for name in type(item).model_fields}
    return dict(item) if isinstance(item, Mapping) else {"value": item}


def pairs_html(title: str, pairs: Mapping[str, Any]) -> str:
    """A titled two-column table; empty values are left out."""
    rows = "".join(
        f'<tr><th style="{CELL};{DIM}">{escape(name.replace("_", " "))}</th>'
        f'<td style="{CELL}">{escape(text(value, name))}</td></tr>'
        for name, value in pairs.items()
        if value not in (None, "", [], {})
    )
    return f"<div><b>{escape(title)}</b><table>{rows}</table></div>"


def table_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the union of their columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th style="{CELL}">{escape(name.replace("_", " "))}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{CELL}">{escape(text(row.get(n), n))}</td>' for n in names)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text(value: Any, name: str = "") -> str:
    """One value for a cell; `name` of the field gives the unit."""
    special = _by_name(name, value)
    if special is not None:
        return special
    if value is None:
        return ""
    for kind, words_of in _BY_TYPE:
        if isinstance(value, kind):
            return words_of(value)
    return str(value)


def _by_name(name: str, value: Any) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if name == "bytes" or name.endswith("_bytes"):
            return words.size(value)
        if name == "version":
            return f"v{value}" if value else "–"
    if isinstance(value, str) and name in ("hash", "snapshot", "source_hash"):
        return words.short(value)
    return None


def _mapping(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={text(item)}" for name, item in value.items())


def _items(value: Iterable[Any]) -> str:
    return ", ".join(text(item) for item in value)


def _model(value: BaseModel) -> str:
    return _mapping({name: getattr(value, name) for name in type(value).model_fields})


_BY_TYPE: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (bool, lambda value: "yes" if value else "no"),
    (datetime, words.ago),
    ((int, float), words.number),
    (BaseModel, _model),
    (Mapping, _mapping),
    ((list, tuple, set, frozenset), _items),
)
