"""Statistics of a version, kept as mergeable summaries and shown as the contract's `Statistics`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import (
    Column,
    ColumnStatistics,
    Histogram,
    Statistics,
    ValueCount,
)

from .image_size import image_size
from .sketches import Bins, Distinct, Frequent, Moments, hash_values, mix

SHORT = 64
TOP = 10
LABELS_SHOWN = 1000


@dataclass
class Summary:
    """Of one column. `moments` and `bins` are of numbers, text lengths or image widths."""

    missing: int = 0
    moments: Moments = field(default_factory=Moments)
    bins: Bins = field(default_factory=Bins)
    distinct: Distinct = field(default_factory=Distinct)
    frequent: Frequent = field(default_factory=Frequent)
    sizes: Frequent = field(default_factory=Frequent)

    def merge(self, other: Summary, role: str) -> Summary:
        """Of both."""
        return Summary(
            self.missing + other.missing,
            self.moments.merge(other.moments),
            self.bins.merge(other.bins),
            self.distinct.merge(other.distinct),
            self.frequent.merge(other.frequent, None if role == "label" else 256),
            self.sizes.merge(other.sizes),
        )


@dataclass
class Profile:
    """Of all columns of a version."""

    rows: int = 0
    columns: dict[str, Summary] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch, roles: dict[str, str]) -> None:
        """Count the rows of a batch in."""
        columns = {
            name: summarise(batch.column(name), roles.get(name, "")) for name in batch.schema.names
        }
        self._take(Profile(batch.num_rows, columns), roles)

    def merged(self, other: Profile, roles: dict[str, str]) -> Profile:
        """Of both; a column that one lacks is missing in all of its rows."""
        result = Profile(self.rows, dict(self.columns))
        result._take(other, roles)
        return result

    def _take(self, other: Profile, roles: dict[str, str]) -> None:
        for name in [*self.columns, *(n for n in other.columns if n not in self.columns)]:
            mine = self.columns.get(name) or Summary(missing=self.rows)
            theirs = other.columns.get(name) or Summary(missing=other.rows)
            self.columns[name] = mine.merge(theirs, roles.get(name, ""))
        self.rows += other.rows

    def label_counts(self, column: str = "label") -> dict[str, int]:
        """Rows of each label."""
        return self.columns[column].frequent.counts if column in self.columns else {}


def roles_of(columns: list[Column]) -> dict[str, str]:
    """Column name to role."""
    return {c.name: c.role for c in columns}


def summarise(array: pa.Array, role: str) -> Summary:
    """Of the values of one column."""
    summary = Summary(missing=array.null_count)
    kind, values = array.type, array.drop_null()
    if pa.types.is_string(kind):
        _texts(summary, values, role)
    elif pa.types.is_binary(kind):
        _binaries(summary, values, role)
    elif pa.types.is_boolean(kind):
        counts = pc.value_counts(values).to_pylist()
        summary.frequent = Frequent({str(c["values"]).lower(): c["counts"] for c in counts})
        summary.distinct = Distinct.of(hash_values(summary.frequent.counts))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        _numbers(summary, values)
    elif pa.types.is_temporal(kind) and len(values):
        unique = values.unique()
        summary.distinct = Distinct.of(hash_values(map(str, unique.to_pylist())))
    return summary


def _numbers(summary: Summary, values: pa.Array) -> None:
    whole = pa.types.is_integer(values.type)
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    missing = int(np.isnan(numbers).sum())
    summary.missing += missing
    finite = numbers[np.isfinite(numbers)]
    summary.moments = Moments.of(finite)
    summary.bins = Bins.of(finite, whole=whole)
    if whole:
        exact = values.to_numpy(zero_copy_only=False)
        bits = np.unique(exact.astype(np.uint64 if exact.dtype.kind == "u" else np.int64))
    else:
        bits = np.unique(numbers[~np.isnan(numbers)] + 0.0)
    summary.distinct = Distinct.of(mix(bits.view(np.uint64)))


def _texts(summary: Summary, values: pa.Array, role: str) -> None:
    lengths = pc.utf8_length(values).to_numpy(zero_copy_only=False).astype(np.float64)
    summary.moments = Moments.of(lengths)
    summary.bins = Bins.of(lengths, whole=True)
    counted = pc.value_counts(values)
    unique, counts = counted.field("values"), counted.field("counts")
    texts = unique.to_pylist()
    summary.distinct = Distinct.of(hash_values(texts))
    if role == "text":
        return
    pairs = zip(texts, counts.to_pylist(), strict=True)
    frequent = Frequent({t: c for t, c in pairs if role == "label" or len(t) <= SHORT})
    summary.frequent = frequent if role == "label" else frequent.capped(256)


def _binaries(summary: Summary, values: pa.Array, role: str) -> None:
    if role != "image":
        return
    sizes = [size for v in values if (size := image_size(v.as_py())) is not None]
    widths = np.array([w for w, _ in sizes], np.float64)
    summary.moments = Moments.of(widths)
    summary.bins = Bins.of(widths, whole=True)
    summary.distinct = Distinct.of(hash_values(v.as_py() for v in values))
    counts: dict[str, int] = {}
    for width, height in sizes:
        counts[f"{width}x{height}"] = counts.get(f"{width}x{height}", 0) + 1
    summary.sizes = Frequent(counts).capped(256)


def public(profile: Profile, columns: list[Column], labels: list[str], size: int) -> Statistics:
    """As the API tells it."""
    counts = profile.label_counts()
    return Statistics(
        rows=profile.rows,
        bytes=size,
        labels=[ValueCount(value=v, count=counts.get(v, 0)) for v in labels[:LABELS_SHOWN]],
        columns=[_column(c, profile.columns.get(c.name) or Summary()) for c in columns],
    )


def _column(column: Column, summary: Summary) -> ColumnStatistics:
    moments, histogram = summary.moments, None
    if summary.bins.counts:
        edges, counts = summary.bins.edges()
        histogram = Histogram(edges=edges, counts=counts)
    has_numbers = moments.n > 0
    top = [] if column.role == "text" else summary.frequent.top(TOP)
    return ColumnStatistics(
        name=column.name,
        missing=summary.missing,
        distinct=summary.distinct.estimate() if summary.distinct.smallest else None,
        minimum=moments.low if has_numbers else None,
        maximum=moments.high if has_numbers else None,
        mean=moments.mean if has_numbers and math.isfinite(moments.mean) else None,
        std=moments.std if has_numbers and math.isfinite(moments.std) else None,
        histogram=histogram,
        top=[ValueCount(value=v, count=c) for v, c in top],
        sizes=[ValueCount(value=v, count=c) for v, c in summary.sizes.top(TOP)],
    )


def without(profile: Profile, masks: Mapping[str, str]) -> Profile:
    """The profile with nothing of masked columns but how many of their values are missing."""
    columns = dict(profile.columns)
    for name, method in masks.items():
        mine = columns.get(name) or Summary(missing=profile.rows)
        told = {"null": profile.rows, "redact": 0}
        columns[name] = Summary(missing=told.get(method, mine.missing))
    return Profile(profile.rows, columns)


def save(store: ObjectStore, profile: Profile) -> str:
    """Keep a profile; returns its SHA-256."""
    found = {"rows": profile.rows, "columns": {n: _pack(s) for n, s in profile.columns.items()}}
    return store.put(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())


def load(store: ObjectStore, sha256: str) -> Profile:
    """A kept profile."""
    found = json.loads(store.get(sha256))
    return Profile(found["rows"], {n: _unpack(s) for n, s in found["columns"].items()})


def _pack(summary: Summary) -> dict[str, Any]:
    packed = asdict(summary)
    if not summary.moments.n:
        packed["moments"] = {}
    return packed


def _unpack(found: dict[str, Any]) -> Summary:
    bins = found["bins"]
    return Summary(
        found["missing"],
        Moments(**found["moments"]),
        Bins(bins["width"], {int(k): v for k, v in bins["counts"].items()}),
        Distinct(found["distinct"]["smallest"]),
        Frequent(found["frequent"]["counts"]),
        Frequent(found["sizes"]["counts"]),
    )
