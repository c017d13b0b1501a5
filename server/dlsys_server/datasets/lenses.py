"""A view on the data of one version: rows left out, then columns masked, then what was asked."""

from __future__ import annotations

import functools
import operator

import pyarrow as pa

from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.datasets import Column

from . import kinds
from .expressions import Filter
from .manifest import Root
from .masking import fitting, masked, masked_field
from .sealing import Sealer
from .viewing import View


class Lens:
    """What a view shows of data with one schema."""

    def __init__(self, view: View, root: Root, sealer: Sealer) -> None:
        self.view, self.full = view, kinds.unpack_schema(root.arrow)
        methods = dict(view.masks)
        self.masks = {
            field.name: fitting(methods[field.name], field.type)
            for field in self.full
            if field.name in methods
        }
        self.schema = pa.schema(
            [masked_field(f, self.masks[f.name]) if f.name in self.masks else f for f in self.full]
        )
        self.columns = [self._column(column) for column in root.columns]
        self._key = sealer.of_values(view.project) if "hash" in self.masks.values() else b""
        self._filters = [f for text in view.filters if (f := _parsed(text, self.full))]
        self._rows = (
            functools.reduce(operator.or_, (f.expression for f in self._filters))
            if self._filters
            else None
        )

    @property
    def whole(self) -> bool:
        """Whether the data is shown as it is."""
        return not self.masks and not self.view.filters

    @property
    def filtered(self) -> bool:
        """Whether rows may be left out."""
        return bool(self.view.filters)

    @property
    def needed(self) -> list[str]:
        """Columns that tell which rows are shown."""
        return sorted(set().union(*(f.columns for f in self._filters)))

    def visible(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that are shown; none of them when no filter fits this data."""
        if not self.filtered:
            return batch
        if self._rows is None:
            return batch.slice(0, 0)
        return Filter.take(batch, self._rows)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is shown of a batch with all columns of the data."""
        if self.whole:
            return batch
        found = self.visible(batch)
        arrays = [
            masked(array, self.masks[name], self._key) if name in self.masks else array
            for name, array in zip(found.schema.names, found.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def where(self, text: str) -> Filter:
        """A caller's own filter, of the columns that are shown.

        Raises:
            InvalidInput: it is none, or names a masked column.
        """
        return Filter(text, self.schema, frozenset(self.masks))

    def _column(self, column: Column) -> Column:
        if column.name not in self.masks:
            return column
        field = self.schema.field(column.name)
        return Column(name=column.name, type=str(field.type), nullable=True, role="")


def _parsed(text: str, schema: pa.Schema) -> Filter | None:
    """A policy's filter; None when it does not fit this version: then it shows no row of it."""
    try:
        return Filter(text, schema)
    except InvalidInput:
        return None
