"""Files on their way in: every format, and every way they can be broken."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlsys_server.core.errors import DlsysError, InvalidInput, Refused, TooLarge
from jupyter_dlsys.contract.datasets import CommitRequest, UploadedFile
from tests.support.datasets import ANN, PROJECT, Room, csv, jsonl, open_room

TABLE = pa.table({"text": ["a", "b"], "label": ["x", "y"]})


def png(width: int = 4, height: int = 3) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def ipc(table: pa.Table, *, stream: bool) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


SAME = {
    "a.csv": b"text,label\na,x\nb,y\n",
    "bom.csv": b"\xef\xbb\xbftext,label\na,x\nb,y\n",
    "semicolon.csv": b"text;label\na;x\nb;y\n",
    "a.tsv": b"text\tlabel\na\tx\nb\ty\n",
    "crlf.csv": b"text,label\r\na,x\r\n\r\nb,y\r\n",
    "a.jsonl": b'{"text":"a","label":"x"}\n\n{"label":"y","text":"b"}',
    "a.parquet": parquet(TABLE),
    "a.arrow": ipc(TABLE, stream=False),
    "stream.arrow": ipc(TABLE, stream=True),
    "dictionary.arrow": ipc(
        pa.table(
            {
                "text": pa.array(["a", "b"], pa.large_string()),
                "label": pa.array(["x", "y"]).dictionary_encode(),
            }
        ),
        stream=True,
    ),
}


@pytest.mark.parametrize("filename", SAME)
def test_the_same_rows_in_every_format_are_the_same_content(room: Room, filename: str) -> None:
    room.create()
    room.commit("tweets", filename, SAME[filename])
    assert room.rows("tweets") == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    room.create("reference")
    room.commit("reference", "a.csv", SAME["a.csv"])
    assert room.snapshot("tweets").hash == room.snapshot("reference").hash


BROKEN: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "a.csv", "empty"),
    "header only": (b"text,label\n", "a.csv", "no rows"),
    "ragged": (b"text,label\na,x\nb\n", "a.csv", "row 2"),
    "utf-16": ("text,label\na,x\n".encode("utf-16"), "a.csv", "UTF-16"),
    "latin-1": (b"text,label\na,x\nb\xe4r,y\n", "a.csv", "line 3"),
    "latin-1 header": (b"text,label,\xe4\na,x,1\n", "a.csv", "line 1"),
    "twice": (b"text,label,label\na,x,y\n", "a.csv", "twice"),
    "binary": (b"\0\1\2\3", "a.csv", "not text"),
    "json": (b'{"text":"a","label":"x"}\n{"text":', "a.jsonl", "line 2"),
    "json list": (b'["a"]\n', "a.jsonl", "line 1"),
    "parquet": (b"PAR1 is not enough", "a.parquet", "Parquet"),
    "cut parquet": (SAME["a.parquet"][:-20], "a.parquet", "Parquet"),
    "arrow": (b"ARROW1\0\0junk", "a.arrow", "Arrow"),
    "cut stream": (SAME["stream.arrow"][:150], "a.arrow", "Arrow"),
    "zip": (b"PK\3\4 junk", "a.zip", "zip"),
    "no format": (b"x", "a.xlsx", "format"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_and_say_where(room: Room, name: str) -> None:
    data, filename, told = BROKEN[name]
    kind = "image-classification" if name == "zip" else "text-classification"
    room.create(kind=kind)
    with pytest.raises((InvalidInput, Refused)) as caught:
        room.commit("tweets", filename, data)
    assert told in caught.value.detail
    assert caught.value.hint
    assert room.history("tweets") == []


def test_arrow_with_wrong_offsets_is_refused(room: Room) -> None:
    array = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(struct.pack("<iii", 0, 9999, 3)), pa.py_buffer(b"abc")]
    )
    label = pa.array(["x", "y"])
    data = ipc(pa.Table.from_arrays([array, label], names=["text", "label"]), stream=True)
    room.create()
    with pytest.raises(InvalidInput):
        room.commit("tweets", "a.arrow", data)


def test_csv_types_come_from_all_rows(room: Room) -> None:
    room.create("t", "tabular")
    rows = [(i, i, f"{i:03d}", "true", "2024-02-01", "NA" if i else 1) for i in range(999)]
    made = room.commit(
        "t",
        "a.csv",
        csv(*rows, (1.5, 1, "x", "false", "2024-03-01", 2), header="a,b,code,flag,day,maybe"),
    )
    types = {c.name: c.type for c in made.columns}
    assert types == {
        "a": "double",
        "b": "int64",
        "code": "string",
        "flag": "bool",
        "day": "date32[day]",
        "maybe": "int64",
    }
    assert room.rows("t", where="day > '2024-02-15'")[0]["code"] == "x"


def test_codes_with_leading_zeros_stay_text(room: Room) -> None:
    room.create("t", "tabular")
    made = room.commit("t", "a.csv", csv(("01067", "0.5"), ("80331", "12"), header="zip,share"))
    assert [c.type for c in made.columns] == ["string", "double"]
    assert room.rows("t")[0]["zip"] == "01067"


def test_empty_cells_are_missing_and_quoted_ones_are_not(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", 'a,b\nx,\n"",2\n')
    assert room.rows("t") == [{"a": "x", "b": None}, {"a": "", "b": 2}]


def test_json_columns_that_mix_types_name_the_row(room: Room) -> None:
    room.create("t", "generic")
    with pytest.raises(Refused) as caught:
        room.commit("t", "a.jsonl", jsonl({"n": 1}, {"n": "two"}, {"n": 3}))
    problem = caught.value.errors[0]
    assert (problem.row, problem.column, problem.got) == (2, "n", "'two'")


def test_json_integers_and_fractions_make_a_float_column(room: Room) -> None:
    room.create("t", "generic")
    made = room.commit("t", "a.jsonl", jsonl({"n": 1}, {"n": 2.5}, {"m": [1, 2]}))
    assert {c.name: c.type for c in made.columns}["n"] == "double"
    assert room.rows("t")[2] == {"n": None, "m": [1, 2]}


def test_later_commits_are_cast_only_when_nothing_is_lost(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.parquet", parquet(pa.table({"n": pa.array([1], pa.int16())})))
    room.commit("t", "a.parquet", parquet(pa.table({"n": pa.array([2], pa.int64())})))
    for array in (pa.array([70_000]), pa.array([1.5]), pa.array(["3"]), pa.array([True])):
        with pytest.raises(Refused) as caught:
            room.commit("t", "a.parquet", parquet(pa.table({"n": array})))
        assert caught.value.errors[0].expected == "int16"
    assert [r["n"] for r in room.rows("t")] == [1, 2]


def test_integer_labels_become_text(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.parquet", parquet(pa.table({"text": ["a"], "label": [7]})))
    assert room.rows("tweets") == [{"text": "a", "label": "7"}]


def test_a_text_column_takes_text_only(room: Room) -> None:
    room.create()
    with pytest.raises(Refused) as caught:
        room.commit("tweets", "a.jsonl", jsonl({"text": "a", "label": "x"}, {"text": 5}))
    assert caught.value.errors[0].row in (1, 2)


def test_tabular_refuses_nested_columns_and_generic_takes_them(room: Room) -> None:
    table = pa.table(
        {"v": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), "d": pa.array([date(2024, 1, 2)])}
    )
    room.create("flat", "tabular")
    with pytest.raises(Refused) as caught:
        room.commit("flat", "a.parquet", parquet(table))
    assert caught.value.errors[0].column == "v"
    room.create("any", "generic")
    room.commit("any", "a.parquet", parquet(table))
    assert room.rows("any") == [{"v": [1.0, 2.0], "d": "2024-01-02"}]


def test_images_by_folder(room: Room) -> None:
    room.create("pics", "image-classification")
    made = room.commit(
        "pics",
        "a.zip",
        zipped(
            {
                "set/cat/1.png": png(5, 6),
                "set/dog/2.png": png(),
                "__MACOSX/x": b"?",
                "set/.DS_Store": b"?",
            }
        ),
    )
    assert (made.rows, made.labels) == (2, ["cat", "dog"])
    image = {c.name: c for c in made.statistics.columns}["image"]
    assert [(s.value, s.count) for s in image.sizes] == [("4x3", 1), ("5x6", 1)]
    first = room.rows("pics")[0]
    assert first["label"] == "cat"
    assert first["image"].startswith("data:image/png;base64,")


def test_what_is_no_image_is_refused(room: Room) -> None:
    room.create("pics", "image-classification")
    with pytest.raises(Refused) as caught:
        room.commit("pics", "a.zip", zipped({"cat/1.png": png(), "cat/2.png": b"GIF89a not"}))
    assert (caught.value.errors[0].row, caught.value.errors[0].column) == (2, "image")
    with pytest.raises(InvalidInput, match="no folder"):
        room.commit("pics", "a.zip", zipped({"1.png": png()}))


def test_an_image_of_absurd_size_is_refused(room: Room) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4
    room.create("pics", "image-classification")
    with pytest.raises(Refused):
        room.commit("pics", "a.zip", zipped({"cat/1.png": bomb}))


def test_bombs_do_not_unpack(tmp_path: Path) -> None:
    home = tmp_path / "small"
    home.mkdir()
    room = open_room(home, max_upload_bytes=1_000_000)
    bombs: dict[str, tuple[str, Any]] = {
        "image-classification": ("a.zip", zipped({"a/1.png": b"\0" * 5_000_000})),
        "generic": ("a.parquet", parquet(pa.table({"s": ["x" * 1000] * 50_000}))),
    }
    for kind, (filename, data) in bombs.items():
        assert len(data) < 500_000
        room.create(kind.split("-")[0], kind)
        with pytest.raises(TooLarge):
            room.commit(kind.split("-")[0], filename, data)
    room.close()


def test_many_files_in_one_commit(room: Room) -> None:
    room.create("t", "tabular")
    body = CommitRequest(files=[room.upload("a.csv", "n\n1\n"), room.upload("b.jsonl", '{"n":2}')])
    assert room.datasets.commit(ANN, PROJECT, "t", body).rows == 2
    bad = [room.upload("a.csv", "n\n1\n"), room.upload("b.csv", "n\n2\nx\n")]
    with pytest.raises(Refused) as caught:
        room.datasets.commit(ANN, PROJECT, "t", CommitRequest(files=bad))
    assert (caught.value.errors[0].field, caught.value.errors[0].row) == ("b.csv", 2)


def test_the_format_can_be_named(room: Room) -> None:
    room.create("t", "tabular")
    upload = room.upload("data", "n\n1\n")
    body = CommitRequest(files=[UploadedFile(upload=upload.upload, format="csv")])
    assert room.datasets.commit(ANN, PROJECT, "t", body).rows == 1


def test_reserved_column(room: Room) -> None:
    room.create()
    with pytest.raises(DlsysError, match="label_id"):
        room.commit("tweets", "a.csv", csv(("a", "x", 1), header="text,label,label_id"))
