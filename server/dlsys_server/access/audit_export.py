"""The audit log as a file, made batch by batch while it is sent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Literal

from .audit_reading import Row, entry_of
from .tables import AuditRow

AuditFormat = Literal["jsonl", "csv"]
MEDIA: dict[AuditFormat, str] = {
    "jsonl": "application/jsonl; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
NAMES = [column.key for column in AuditRow.__table__.columns]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(format: AuditFormat, batches: Iterable[list[Row]]) -> Iterator[bytes]:
    """Blocks of the file."""
    return _jsonl(batches) if format == "jsonl" else _csv(batches)


def _jsonl(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    for batch in batches:
        yield "".join(entry_of(row).model_dump_json() + "\n" for row in batch).encode()


def _csv(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    yield (",".join(NAMES) + "\r\n").encode()
    for batch in batches:
        text = io.StringIO()
        write = csv.writer(text).writerow
        for row in batch:
            shown = entry_of(row).model_dump(mode="json")
            shown["detail"] = json.dumps(shown["detail"], ensure_ascii=False)
            write([_cell(shown[name]) for name in NAMES])
        yield text.getvalue().encode()


def _cell(value: object) -> object:
    """A stranger's text is no formula of a spreadsheet."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
