"""One suite for both kinds of object store; S3 is a real server."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlsys_server.core.errors import Broken, InvalidInput, Unavailable
from dlsys_server.core.recent import SMALL_BYTES, TOTAL_BYTES, RecentBlobs
from dlsys_server.core.store import LocalStore, ObjectStore, RemoteStore, open_store
from jupyter_dlsys.contract.references import blob_key

DATA = b"some bytes \x00\xff" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(
    params=["local", pytest.param("s3", marks=[pytest.mark.s3, pytest.mark.integration])]
)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    if request.param == "local":
        yield open_store(f"file://{tmp_path}/my%20store")
        return
    bucket = request.getfixturevalue("s3_bucket")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.secret_key)
    yield open_store(f"{bucket.url}/some/prefix", bucket.endpoint_url)


def _overwrite(store: ObjectStore, sha256: str, data: bytes) -> None:
    """Damage a blob behind the store's back, long after it was used last."""
    if isinstance(store, RemoteStore):
        store._recent = RecentBlobs()
        store._fs.pipe_file(store._path(sha256), data)
    else:
        path = store.open_path(sha256)
        assert path is not None
        path.chmod(0o600)
        path.write_bytes(data)


def test_what_was_put_comes_back(store: ObjectStore) -> None:
    assert store.put(DATA) == SHA
    assert store.get(SHA) == DATA
    assert store.has(SHA)
    assert store.size(SHA) == len(DATA)


def test_the_empty_blob(store: ObjectStore) -> None:
    sha256 = store.put(b"")
    assert store.get(sha256) == b""
    assert store.size(sha256) == 0


def test_a_repeated_put_changes_nothing(store: ObjectStore) -> None:
    first = store.put(DATA)
    assert store.put(DATA) == first
    assert store.get(first) == DATA


def test_files_go_in_and_out(store: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(DATA)
    assert store.put_file(source) == SHA
    store.download(SHA, target)
    assert target.read_bytes() == DATA
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".part")) == []


def test_missing_blobs(store: ObjectStore, tmp_path: Path) -> None:
    assert not store.has(SHA)
    assert store.open_path(SHA) is None
    for read in (store.get, store.size, lambda s: store.download(s, tmp_path / "out")):
        with pytest.raises(Broken) as caught:
            read(SHA)
        assert caught.value.code == "object-missing"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", ["", "abc", "../../etc/passwd", SHA.upper(), SHA + "0"])
def test_only_hashes_are_names(store: ObjectStore, bad: str) -> None:
    with pytest.raises(InvalidInput):
        store.get(bad)


@pytest.mark.parametrize("damage", [b"x", DATA[:-1] + b"?"])
def test_damage_is_seen_on_read(store: ObjectStore, tmp_path: Path, damage: bytes) -> None:
    store.put(DATA)
    _overwrite(store, SHA, damage)
    with pytest.raises(Broken) as caught:
        store.get(SHA)
    assert caught.value.code == "object-damaged"
    with pytest.raises(Broken):
        store.download(SHA, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_put_repairs_a_cut_off_blob(store: ObjectStore) -> None:
    store.put(DATA)
    _overwrite(store, SHA, DATA[:10])
    store.put(DATA)
    assert store.get(SHA) == DATA


def test_many_writers_of_the_same_and_of_other_blobs(store: ObjectStore) -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        for i in range(10):
            blobs = [b"same %d" % i, b"own %d %d" % (number, i)]
            wrong.extend(data for data in blobs if store.get(store.put(data)) != data)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store.has(hashlib.sha256(b"own 5 9").hexdigest())


def test_health(store: ObjectStore) -> None:
    assert store.health().state == "ok"


def test_a_local_store_says_where_its_files_lie(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/store")
    store.put(DATA)
    path = store.open_path(SHA)
    assert path == Path(str(store.local_root)) / blob_key(SHA)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_failed_local_put_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path / "store")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(DATA)
    monkeypatch.undo()
    assert not store.has(SHA)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.s3
@pytest.mark.integration
def test_s3_has_no_local_files(s3_bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_bucket.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_bucket.secret_key)
    store = open_store(s3_bucket.url, s3_bucket.endpoint_url)
    assert store.local_root is None
    assert store.open_path(store.put(DATA)) is None


@pytest.mark.s3
@pytest.mark.integration
def test_small_blobs_of_s3_are_asked_for_once(
    s3_bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_bucket.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_bucket.secret_key)
    big = b"b" * (SMALL_BYTES + 1)
    writer = open_store(s3_bucket.url, s3_bucket.endpoint_url)
    small_one, big_one = writer.put(DATA), writer.put(big)
    reader = open_store(s3_bucket.url, s3_bucket.endpoint_url)
    assert (reader.get(small_one), reader.get(big_one)) == (DATA, big)
    monkeypatch.setattr(reader, "_read", lambda _sha256: b"from the network")
    assert reader.get(small_one) == DATA
    with pytest.raises(Broken):
        reader.get(big_one)


def test_blobs_in_memory_are_bounded() -> None:
    recent = RecentBlobs()
    names = [f"{number:064x}" for number in range(TOTAL_BYTES // SMALL_BYTES + 5)]
    for name in names:
        recent.keep(name, bytes(SMALL_BYTES))
        recent.get(names[0])  # used again and again
    held = [name for name in names if recent.get(name) is not None]
    assert len(held) == TOTAL_BYTES // SMALL_BYTES
    assert names[0] in held and names[1] not in held and names[-1] in held


@pytest.mark.integration
def test_an_s3_store_that_does_not_answer(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = open_store("s3://bucket", f"http://127.0.0.1:{free_port}")
    with pytest.raises(Unavailable) as caught:
        store.put(DATA)
    assert caught.value.retry_after
    assert store.health().state == "failed"


def test_unknown_stores_are_refused() -> None:
    with pytest.raises(InvalidInput):
        open_store("ftp://host/x")
