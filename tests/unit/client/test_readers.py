"""Readers: the same rows through every library, from a folder, a store, or a fetcher."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from jupyter_dlsys.client.cache import ChunkCache
from jupyter_dlsys.client.errors import NotConnected, PlatformFault, UsageError
from jupyter_dlsys.client.readers import SnapshotReader
from jupyter_dlsys.client.snapshots import materialize
from jupyter_dlsys.client.torch_loader import permutation
from jupyter_dlsys.contract.datasets import Snapshot
from tests.support.datasets import Room, csv, open_room

ROWS = [(f"text {i} ü", f"label{i % 3}", i, i / 2) for i in range(50)]
HEADER = "text,label,n,x"
SPLIT = {"train": 0.8, "test": 0.2}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DLSYS_CACHE", str(tmp_path / "cache"))
    room = open_room(home, chunk_bytes=600)
    room.create()
    for start in (0, 20):
        rows = ROWS[start : start + 20] if start == 0 else ROWS[20:]
        room.commit("tweets", "a.csv", csv(*rows, header=HEADER))
    yield room
    room.close()


@pytest.fixture
def split(room: Room, tmp_path: Path) -> SnapshotReader:
    """A split snapshot, read from its input folder."""
    snapshot = room.snapshot("tweets", split=SPLIT, seed=5)
    materialize(snapshot.model_dump(mode="json"), tmp_path / "input")
    return SnapshotReader.from_folder(tmp_path / "input")


@pytest.fixture
def whole(room: Room) -> SnapshotReader:
    """An unsplit snapshot of two chunks, read straight from the store."""
    snapshot = room.snapshot("tweets")
    assert len(snapshot.splits[0].chunks) == 2
    return SnapshotReader(snapshot)


def test_the_folder_is_plain_parquet(split: SnapshotReader, tmp_path: Path) -> None:
    names = sorted(p.name for p in (tmp_path / "input").iterdir())
    assert names == ["snapshot.json", "test-00000.parquet", "train-00000.parquet"]
    table = pq.read_table(tmp_path / "input" / "train-00000.parquet")
    assert table.column("n").to_pylist() == split["train"].to_arrow().column("n").to_pylist()
    stored = Snapshot.model_validate_json((tmp_path / "input" / "snapshot.json").read_text())
    assert stored.hash == split.hash
    assert stored.local_root is None


def test_shape(split: SnapshotReader, whole: SnapshotReader) -> None:
    assert split.splits == ["train", "test"]
    assert (len(split), len(split["train"]), len(split["test"])) == (50, 40, 10)
    assert split.labels == ["label0", "label1", "label2"]
    assert split.schema.names == ["text", "label", "n", "x"]
    assert whole.splits == []
    with pytest.raises(UsageError, match="no split 'val'"):
        split.split("val")
    with pytest.raises(UsageError):
        SnapshotReader.from_folder("/nowhere")


def test_every_library_gets_the_same_rows(whole: SnapshotReader) -> None:
    expected = [r[0] for r in ROWS]
    assert whole.to_arrow().column("text").to_pylist() == expected
    assert whole.to_pandas()["text"].tolist() == expected
    assert whole.to_polars()["text"].to_list() == expected
    assert whole.to_hf()["text"][:] == expected
    batches = [x["text"] for x in whole.to_torch(batch_size=7)]
    assert [t for batch in batches for t in batch] == expected
    assert whole.to_pandas(columns=["x"]).columns.tolist() == ["x"]
    with pytest.raises(UsageError, match="no column"):
        whole.to_arrow(["nope"])


@pytest.mark.parametrize("size", [1, 7, 20, 33, 50, 1000])
def test_batches_have_the_size_asked_for(whole: SnapshotReader, size: int) -> None:
    batches = list(whole.iter_batches(size))
    assert [b.num_rows for b in batches] == [min(size, 50 - start) for start in range(0, 50, size)]
    assert [n for b in batches for n in b.column("n").to_pylist()] == list(range(50))


def test_torch_batches_are_tensors_with_label_ids(whole: SnapshotReader) -> None:
    batch = next(iter(whole.to_torch(batch_size=30)))
    assert batch["n"].dtype == torch.int64
    assert batch["n"].tolist() == list(range(30))
    assert batch["x"].tolist() == [i / 2 for i in range(30)]
    assert batch["label_id"].tolist() == [i % 3 for i in range(30)]
    row = whole.to_torch().dataset[49]
    assert (row["text"], int(row["n"]), int(row["label_id"])) == ("text 49 ü", 49, 49 % 3)


def test_shuffling_is_a_new_order_each_epoch_and_the_same_each_time(whole: SnapshotReader) -> None:
    def epochs(seed: int, **options: Any) -> list[list[int]]:
        loader = whole.to_torch(batch_size=8, shuffle=True, seed=seed, **options)
        return [[n for b in loader for n in b["n"].tolist()] for _ in range(2)]

    one, two = epochs(1)
    assert sorted(one) == sorted(two) == list(range(50))
    assert len({str(o) for o in (one, two, list(range(50)), epochs(2)[0])}) == 4
    assert epochs(1) == [one, two]
    assert epochs(1, num_workers=2) == [one, two]
    loader = whole.to_torch(batch_size=8, shuffle=True, seed=1)
    loader.batch_sampler.set_epoch(1)
    assert [n for b in loader for n in b["n"].tolist()] == two


def test_the_order_never_changes() -> None:
    """Golden value: a change here makes old runs impossible to repeat."""
    assert permutation(8, "sha256:x", 1, 0).tolist() == GOLDEN_ORDER


GOLDEN_ORDER = [1, 0, 4, 3, 6, 5, 2, 7]


def test_loaders_work_in_spawned_workers(whole: SnapshotReader) -> None:
    dataset = whole.to_torch().dataset
    assert dataset[3]["text"] == "text 3 ü"
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy[3]["text"] == "text 3 ü"


def test_missing_values(room: Room) -> None:
    room.create("m", "generic")
    room.commit("m", "a.jsonl", '{"n":1,"s":"a","v":[1]}\n{"n":null,"s":null,"v":null}\n')
    batch = next(iter(SnapshotReader(room.snapshot("m")).to_torch()))
    assert np.isnan(batch["n"][1].item())
    assert batch["s"] == ["a", None]
    assert batch["v"] == [[1], None]


def test_images_become_tensors(room: Room) -> None:
    import zipfile

    from PIL import Image

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for i, mode in enumerate(("RGB", "RGB", "L")):
            out = io.BytesIO()
            Image.new(mode, (4, 3), 7 if mode == "L" else (7, 8, 9)).save(out, "PNG")
            archive.writestr(f"c{i % 2}/{i}.png", out.getvalue())
    room.create("pics", "image-classification")
    room.commit("pics", "a.zip", data.getvalue())
    reader = SnapshotReader(room.snapshot("pics", where="label == 'c1'"))
    batch = next(iter(reader.to_torch()))
    assert batch["image"].shape == (1, 3, 3, 4)
    assert batch["image"][0, :, 0, 0].tolist() == [7, 8, 9]
    assert batch["label_id"].tolist() == [1]
    mixed = next(iter(SnapshotReader(room.snapshot("pics")).to_torch()))
    assert sorted(tuple(i.shape) for i in mixed["image"]) == [(1, 3, 4), (3, 3, 4), (3, 3, 4)]


def test_chunks_come_from_a_fetcher_and_are_verified(room: Room, tmp_path: Path) -> None:
    far = room.snapshot("tweets").model_copy(update={"local_root": None})
    asked: list[str] = []

    def fetch(sha256: str) -> bytes:
        asked.append(sha256)
        return room.fetch(sha256)

    reader = SnapshotReader(far, fetch)
    assert len(list(reader.iter_batches(10))) == 5
    assert len(list(reader.iter_batches(10))) == 5
    assert len(asked) == 2, "the second pass comes out of the cache"
    materialize(far.model_dump(mode="json"), tmp_path / "in", fetch=fetch)
    assert len(SnapshotReader.from_folder(tmp_path / "in").to_arrow()) == 50
    with pytest.raises(PlatformFault):
        SnapshotReader(far, lambda _sha: b"other bytes").to_arrow()
    with pytest.raises(PlatformFault):
        materialize(far.model_dump(mode="json"), tmp_path / "bad", fetch=lambda _sha: b"x")
    assert list((tmp_path / "bad").iterdir()) == []


def test_without_a_platform_the_error_says_so(
    room: Room, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    far = room.snapshot("tweets").model_copy(update={"local_root": None})
    with pytest.raises(NotConnected, match="DLSYS_URL"):
        SnapshotReader(far).to_arrow()
    monkeypatch.setattr("time.sleep", lambda _s: None)
    monkeypatch.setenv("DLSYS_URL", f"http://127.0.0.1:{free_port}")
    with pytest.raises(NotConnected, match="does not answer"):
        SnapshotReader(far).to_arrow()


def test_writing_into_an_input_folder_does_not_reach_the_store(room: Room, tmp_path: Path) -> None:
    snapshot = room.snapshot("tweets")
    materialize(snapshot.model_dump(mode="json"), tmp_path / "in")
    for path in (tmp_path / "in").glob("*.parquet"):
        try:
            with path.open("r+b") as file:
                file.write(b"overwritten")
        except PermissionError:
            continue
    for chunk in snapshot.splits[0].chunks:
        assert hashlib.sha256(room.store.get(chunk.sha256)).hexdigest() == chunk.sha256


def test_damage_in_the_store_does_not_become_an_input(room: Room, tmp_path: Path) -> None:
    snapshot = room.snapshot("tweets")
    path = room.store.open_path(snapshot.splits[0].chunks[0].sha256)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(PlatformFault):
        materialize(snapshot.model_dump(mode="json"), tmp_path / "in")


def test_the_cache_stays_under_its_limit_and_keeps_the_newest(tmp_path: Path, room: Room) -> None:
    snapshot = room.snapshot("tweets")
    first, second = (c.sha256 for c in snapshot.splits[0].chunks)
    cache = ChunkCache(tmp_path / "small", limit_bytes=1)
    old = cache.path(first, lambda: room.fetch(first))
    assert old.exists()
    assert old.stat().st_mode & 0o077 == 0
    new = cache.path(second, lambda: room.fetch(second))
    assert (old.exists(), new.exists()) == (False, True)
    assert (tmp_path / "small" / "arrow").stat().st_mode & 0o077 == 0


def test_it_shows_itself_without_running_what_it_holds(room: Room) -> None:
    room.create("evil")
    room.commit("evil", "a.csv", csv(("<script>alert(1)</script>", "<b>")))
    shown = SnapshotReader(room.snapshot("evil"))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "evil@v1" in shown


def test_empty_columns_and_repr(split: SnapshotReader) -> None:
    assert "tweets@v2" in repr(split)
    assert "'train'" in repr(split["train"])
    assert set(split.to_hf()) == {"train", "test"}
    feature = split.to_hf()["train"].features["label_id"]
    assert feature.names == ["label0", "label1", "label2"]


def test_reading_needs_no_platform_libraries() -> None:
    code = (
        "import sys, jupyter_dlsys.client.readers, jupyter_dlsys.client.snapshots;"
        "bad = {'fastapi', 'sqlalchemy', 'dlsys_server', 'torch', 'pandas', 'polars', 'datasets'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout.strip() == "[]"
