"""Rows for people: a window of a version as JSON, images as small thumbnails."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlsys_server.core.errors import InvalidInput
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column, Rows

from . import kinds, manifest
from .expressions import Filter
from .parquet import read_chunk

if TYPE_CHECKING:
    from .lenses import Lens

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
    lens: Lens | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of the selected rows and columns; `skip_rows` counts rows before the filter.

    Through a lens only what it shows; then all rows count for `skip_rows`, shown or not.
    """
    if lens is not None:
        yield from _through(lens, store, root, where, columns, skip_rows)
        return
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


def _through(
    lens: Lens,
    store: ObjectStore,
    root: manifest.Root,
    where: str | None,
    columns: list[str] | None,
    skip_rows: int,
) -> Iterator[pa.RecordBatch]:
    names = [c.name for c in chosen(root, columns)]
    condition = lens.where(where) if where else None
    for first, entry in manifest.chunks(store, root, skip_rows):
        for batch in read_chunk(store, entry, lens.full, None, max(0, skip_rows - first)):
            found = lens.apply(batch)
            if condition is not None:
                found = condition.matching(found)
            yield found.select(names)


def window(
    store: ObjectStore,
    root: manifest.Root,
    where: str | None,
    columns: list[str] | None,
    offset: int,
    limit: int,
    lens: Lens | None = None,
    total: int | None = None,
) -> Rows:
    """`limit` rows from `offset` on. With a filter all rows are looked at, to tell the total.

    `total` is how many there are without the caller's filter, where a lens leaves some out.
    """
    shown = chosen(root, columns)
    if lens is not None:
        seen_as = {c.name: c for c in lens.columns}
        shown = [seen_as[c.name] for c in shown]
    rows: list[dict[str, Any]] = []
    if where or (lens is not None and lens.filtered):
        seen = 0
        for batch in scan(store, root, where, columns, lens=lens):
            part = batch.slice(max(0, offset - seen), limit - len(rows))
            rows += to_json(part, shown)
            seen += batch.num_rows
            if total is not None and not where and len(rows) >= limit:
                break
        return Rows(columns=shown, offset=offset, total=seen if where else total or 0, rows=rows)
    if offset < root.rows:
        for batch in scan(store, root, None, columns, offset, lens):
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
