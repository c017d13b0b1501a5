"""Rows for people: a window of a version as JSON, images as small thumbnails."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dlsys_server.core.errors import InvalidInput
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column, Rows

from . import kinds, manifest
from .expressions import Filter
from .parquet import read_chunk

THUMBNAIL = 96
MAX_TEXT = 4000
MAX_DECODE_PIXELS = 50_000_000


def chosen(root: manifest.Root, columns: list[str] | None) -> list[Column]:
    """The columns that were asked for, in that order.

    Raises:
        InvalidInput: one is not there, or twice.
    """
    if not columns:
        return root.columns
    by_name = {c.name: c for c in root.columns}
    unknown = [name for name in columns if name not in by_name]
    if unknown or len(set(columns)) < len(columns):
        what = f"There is no column '{unknown[0]}'." if unknown else "A column is named twice."
        raise InvalidInput(what, hint=f"There are: {', '.join(list(by_name)[:20])}.")
    return [by_name[name] for name in columns]


def scan(
    store: ObjectStore,
    root: manifest.Root,
    where: str | None,
    columns: list[str] | None,
    skip_rows: int = 0,
) -> Iterator[pa.RecordBatch]:
    """Batches of the selected rows and columns; `skip_rows` counts rows before the filter."""
    schema = kinds.unpack_schema(root.arrow)
    names = [c.name for c in chosen(root, columns)] if columns else None
    condition = Filter(where, schema) if where else None
    for first, entry in manifest.chunks(store, root, skip_rows):
        skip = max(0, skip_rows - first)
        if condition is None:
            yield from read_chunk(store, entry, schema, names, skip)
            continue
        for batch in read_chunk(store, entry, schema, None, skip):
            found = condition.matching(batch)
            yield found.select(names) if names else found


def window(
    store: ObjectStore,
    root: manifest.Root,
    where: str | None,
    columns: list[str] | None,
    offset: int,
    limit: int,
) -> Rows:
    """`limit` rows from `offset` on. With a filter all rows are looked at, to tell the total."""
    shown = chosen(root, columns)
    rows: list[dict[str, Any]] = []
    if where:
        seen = 0
        for batch in scan(store, root, where, columns):
            part = batch.slice(max(0, offset - seen), limit - len(rows))
            rows += to_json(part, shown)
            seen += batch.num_rows
        return Rows(columns=shown, offset=offset, total=seen, rows=rows)
    if offset < root.rows:
        for batch in scan(store, root, None, columns, offset):
            rows += to_json(batch.slice(0, limit - len(rows)), shown)
            if len(rows) >= limit:
                break
    return Rows(columns=shown, offset=offset, total=root.rows, rows=rows)


def to_json(batch: pa.RecordBatch, columns: list[Column]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    roles = {c.name: c.role for c in columns}
    lists = [
        [
            _image(v) if roles.get(name) == "image" and v is not None else plain(v)
            for v in batch.column(name).to_pylist()
        ]
        for name in batch.schema.names
    ]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*lists, strict=True)]


def plain(value: Any) -> Any:
    """A value as JSON for people: bytes as their size, times as RFC 3339, long text cut."""
    if isinstance(value, bytes):
        return f"<{_size(len(value))} binary>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "…"
    if isinstance(value, list):
        return [plain(v) for v in value[:256]]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return timely(value)


def timely(value: Any) -> Any:
    """Times, durations and decimals as JSON; others as they are."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Decimal) else value


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def _image(data: bytes) -> str:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_DECODE_PIXELS:
                return f"<{image.width}x{image.height} image>"
            form = image.format or "PNG"
            image.draft("RGB", (THUMBNAIL, THUMBNAIL))
            small = image.convert("RGB" if form == "JPEG" else _mode(image.mode))
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            out = io.BytesIO()
            small.save(out, form)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return f"<{_size(len(data))} damaged image>"
    kind = "jpeg" if form == "JPEG" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def _mode(mode: str) -> str:
    return mode if mode in ("L", "LA", "RGB", "RGBA") else "RGBA"
