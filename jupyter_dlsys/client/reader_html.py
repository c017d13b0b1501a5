"""How a dataset shows itself in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_dlsys.client.readers import SnapshotReader

ROWS = 5


def render(reader: SnapshotReader) -> str:
    """Name, hash, splits, labels, columns and the first rows."""
    snapshot = reader.snapshot
    title = f"{escape(snapshot.dataset)}@v{snapshot.version}"
    facts = [f"{len(reader):,} rows", escape(snapshot.kind), f"<code>{snapshot.hash[:19]}…</code>"]
    facts += [f"{escape(s.name)} {s.rows:,}" for s in snapshot.splits if s.name in reader.splits]
    labels = ", ".join(escape(label) for label in reader.labels[:20])
    more = " …" if len(reader.labels) > 20 else ""
    lines = [f"<div><b>{title}</b> · {' · '.join(facts)}</div>"]
    if labels:
        lines.append(f"<div>labels: {labels}{more}</div>")
    return "<div>" + "".join(lines) + _table(reader) + "</div>"


def _table(reader: SnapshotReader) -> str:
    head = "".join(
        f"<th>{escape(c.name)}<br><small>{escape(c.type)}</small></th>" for c in reader.columns
    )
    batch = next(reader.iter_batches(ROWS), None) if len(reader) else None
    rows = batch.to_pylist() if batch is not None else []
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row[c.name])}</td>" for c in reader.columns) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"&lt;{len(value):,} bytes&gt;"
    text = "" if value is None else str(value)
    return escape(text if len(text) <= 120 else text[:119] + "…")
