"""Datasets, versions and rows as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_dlsys.cli import output, session

if TYPE_CHECKING:
    from jupyter_dlsys.client.results import Dataset, Rows, Version
    from jupyter_dlsys.contract.datasets import Statistics


def print_dataset(found: Dataset) -> None:
    """What a dataset is."""
    about = {
        "kind": found.kind,
        "owner": found.owner,
        "description": found.description,
        "tags": {tag: f"v{version}" for tag, version in found.tags.items()},
    }
    output.pairs(found.name, about)


def print_version(version: Version) -> None:
    """One version with its statistics."""
    about = {
        "message": version.message,
        "by": f"{version.author}",
        "when": version.created_at,
        "rows": version.rows,
        "added": version.rows_added,
        "removed": version.rows_removed,
        "bytes": version.bytes,
        "tags": version.tags,
        "hash": version.hash,
    }
    output.pairs(f"v{version.version}", about)
    print_statistics(version.statistics, {c.name: c.type for c in version.columns})


def print_statistics(found: Statistics, types: dict[str, str]) -> None:
    """A line a column, and the label balance as bars."""
    from jupyter_dlsys.client.words import number

    rows = [
        [
            c.name,
            types.get(c.name, ""),
            number(c.missing),
            number(c.distinct),
            " … ".join([number(c.minimum), number(c.maximum)]) if c.minimum is not None else "",
            number(c.mean) if c.mean is not None else "",
            ", ".join(f"{v.value} {v.count:,}" for v in (c.sizes or c.top)[:4]),
        ]
        for c in found.columns
    ]
    output.draw(["column", "type", "missing", "distinct", "range", "mean", "most"], rows)
    if found.labels:
        most = max(v.count for v in found.labels)
        bars = [[v.value, f"{v.count:,}", "█" * max(1, 30 * v.count // most)] for v in found.labels]
        output.draw(["label", "rows", ""], bars)


def print_rows(found: Rows) -> None:
    """A window of rows."""
    names = [c.name for c in found.columns]
    output.draw(names, [[_cell(row.get(name)) for name in names] for row in found.rows])
    first = found.offset + 1 if found.rows else 0
    session.console().print(f"rows {first} to {found.offset + len(found.rows)} of {found.total:,}")


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if text.startswith("data:image/"):
        return "(image)"
    return text if len(text) <= 100 else text[:99] + "…"
