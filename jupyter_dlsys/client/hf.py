"""A snapshot as a Hugging Face dataset, over the mapped files of the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_dlsys.client.readers import SnapshotReader


def to_hf(reader: SnapshotReader, columns: list[str] | None) -> Any:
    """A `datasets.Dataset` with `label_id` as ClassLabel when there are labels."""
    import datasets
    import pyarrow as pa

    names = columns or [c.name for c in reader.columns]
    batches = list(reader.mapped_batches())
    table = pa.Table.from_batches(batches, batches[0].schema if batches else reader.schema)
    dataset = datasets.Dataset(table.select(names))
    label = next((c.name for c in reader.columns if c.role == "label"), None)
    if label is None or label not in names:
        return dataset
    feature = datasets.ClassLabel(names=reader.labels)
    ids = label_ids(table.column(label), reader.labels)
    return dataset.add_column("label_id", ids, feature=feature)


def label_ids(column: Any, labels: list[str]) -> Any:
    """int64 numpy array of label ids, -1 where there is no label."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index_in(column, value_set=pa.array(labels, pa.string()))
    return pc.fill_null(found, -1).cast(pa.int64()).to_numpy(zero_copy_only=False)
