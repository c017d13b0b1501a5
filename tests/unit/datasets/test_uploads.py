"""Uploads: resumable, bounded, and their sender's alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, NotFound, TooLarge
from dlsys_server.core.peers import Peers
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from dlsys_server.datasets.uploads import UploadService
from tests.support.datasets import ANN, PROJECT, Room, csv


async def blocks(*parts: bytes, fail: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if fail:
        raise ConnectionError("the client is gone")


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[UploadService]:
    database = Database(f"sqlite:///{tmp_path / 'db.sqlite'}")
    places = Places(Peers(database, "here"))
    yield UploadService(Settings(home=tmp_path, max_upload_bytes=1000), places)
    database.close()


async def test_a_broken_upload_goes_on_where_it_broke(uploads: UploadService) -> None:
    made = uploads.create(ANN, PROJECT, "../../etc/a.csv")
    assert (made.offset, made.filename) == (0, "a.csv")
    with pytest.raises(ConnectionError):
        await uploads.receive(ANN, PROJECT, made.id, 0, blocks(b"abc", b"de", fail=True))
    assert uploads.show(ANN, PROJECT, made.id).offset == 5
    with pytest.raises(Conflict) as caught:
        await uploads.receive(ANN, PROJECT, made.id, 3, blocks(b"de"))
    assert "5" in caught.value.hint
    done = await uploads.receive(ANN, PROJECT, made.id, 5, blocks(b"f"))
    assert done.offset == 6
    assert uploads.open(ANN, PROJECT, made.id).path.read_bytes() == b"abcdef"


async def test_too_large(uploads: UploadService) -> None:
    made = uploads.create(ANN, PROJECT, "a.csv")
    with pytest.raises(TooLarge):
        await uploads.receive(ANN, PROJECT, made.id, 0, blocks(b"x" * 600, b"x" * 600))
    assert uploads.show(ANN, PROJECT, made.id).offset <= 1000


async def test_one_sender_at_a_time(uploads: UploadService) -> None:
    made = uploads.create(ANN, PROJECT, "a.csv")

    async def nested() -> AsyncIterator[bytes]:
        with pytest.raises(Conflict):
            await uploads.receive(ANN, PROJECT, made.id, 0, blocks(b"other"))
        yield b"mine"

    assert (await uploads.receive(ANN, PROJECT, made.id, 0, nested())).offset == 4


async def test_an_upload_belongs_to_its_sender(uploads: UploadService) -> None:
    made = uploads.create(ANN, PROJECT, "a.csv")
    for caller, project in ((replace(ANN, name="bob"), PROJECT), (ANN, "other")):
        with pytest.raises(NotFound):
            uploads.show(caller, project, made.id)
    for bad in ("", "..", "../platform", "x" * 26):
        with pytest.raises(NotFound):
            uploads.show(ANN, PROJECT, bad)


def test_files_are_private_and_go_after_the_commit(room: Room) -> None:
    room.create()
    folder = room.settings.folder("uploads")
    upload = room.upload("a.csv", csv(("a", "x")))
    assert (folder / upload.upload).stat().st_mode & 0o077 == 0
    room.uploads.remove(ANN, PROJECT, upload.upload)
    room.commit("tweets", "a.csv", csv(("a", "x")))
    assert list(folder.iterdir()) == []
