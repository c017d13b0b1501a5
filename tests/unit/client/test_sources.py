"""What a person hands over as data becomes files that the platform reads."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.sources import guess_kind, sources

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        pd.DataFrame(ROWS, index=[7, 3]),
        pl.DataFrame(ROWS),
        pa.Table.from_pylist(ROWS),
        pa.RecordBatch.from_pylist(ROWS),
        {"text": ["a", "b"], "label": ["x", "y"]},
    ],
    ids=["rows", "pandas", "polars", "arrow", "batch", "columns"],
)
def test_a_table_of_any_kind_becomes_the_same_rows(data: Any) -> None:
    with sources(data) as found:
        assert [s.format for s in found] == ["arrow"]
        with pa.ipc.open_file(found[0].path) as reader:
            assert reader.read_all().to_pylist() == ROWS
        assert guess_kind(found) == "text-classification"
    assert not found[0].path.exists()


def test_files_are_used_where_they_are(tmp_path: Path) -> None:
    csv, lines = tmp_path / "a.CSV", tmp_path / "b.jsonl"
    csv.write_text("\ufefftext,label\na,x\n")
    lines.write_text('{"n": 1}\n')
    with sources([csv, str(lines)]) as found:
        assert [(s.path, s.format) for s in found] == [(csv, "csv"), (lines, "jsonl")]
        assert guess_kind(found) == "text-classification"
        assert guess_kind(found[1:]) == "generic"


def test_a_folder_of_images_by_label_becomes_one_archive(tmp_path: Path) -> None:
    for name in ("cats/1.png", "dogs/2.JPG", "dogs/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with sources(tmp_path) as found:
        assert guess_kind(found) == "image-classification"
        assert zipfile.ZipFile(found[0].path).namelist() == ["cats/1.png", "dogs/2.JPG"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("nowhere.csv", "There is no file"),
        (__file__, "not a kind of data file"),
        (Path(__file__).parent, "holds no images"),
        (3.5, "A float is not data"),
        ([], "nothing to commit"),
        ([{"a": 1}, {"a": "b"}], "cannot be made into a table"),
    ],
)
def test_what_is_no_data_is_said(data: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words), sources(data):
        pass
