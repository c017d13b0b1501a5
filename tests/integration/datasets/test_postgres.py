"""The dataset room on PostgreSQL: races, pages and repeats are as on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlsys_server.api.paging import Paging
from dlsys_server.core.errors import Conflict
from jupyter_dlsys.contract.datasets import CommitRequest, CreateDataset, TagRequest
from tests.support.datasets import ANN, PROJECT, Room, csv, open_room

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


@pytest.fixture
def room(tmp_path: Path, postgres_url: str) -> Iterator[Room]:
    room = open_room(tmp_path, database_url=postgres_url)
    yield room
    room.close()


def test_two_writers_lose_nothing(room: Room) -> None:
    room.create()
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(6):
                room.commit("tweets", "a.csv", csv((f"{writer}-{number}", f"l{writer}")))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert room.history("tweets") == list(range(18, 0, -1))
    assert len({r["text"] for r in room.rows("tweets")}) == 18
    assert [e.payload["version"] for e in room.told("dataset.committed")] == list(range(1, 19))


def test_the_rest_of_the_room(room: Room) -> None:
    for name in ("a", "b", "c"):
        room.create(name)
    with pytest.raises(Conflict):
        room.datasets.create(ANN, PROJECT, CreateDataset(name="a"))
    body = CommitRequest(files=[room.upload("a.csv", csv(("x", "y"), ("z", "y")))])
    first = room.datasets.commit(ANN, PROJECT, "a", body, "key")
    assert room.datasets.commit(ANN, PROJECT, "a", body, "key") == first
    page = room.datasets.list(ANN, PROJECT, Paging(2))
    rest = room.datasets.list(ANN, PROJECT, Paging(2, page.next_cursor))
    assert [d.name for d in [*page.items, *rest.items]] == ["a", "c", "b"]
    room.datasets.tag(ANN, PROJECT, "a", "gold", TagRequest(version=1))
    assert room.rows("a", "gold", "text == 'z'") == [{"text": "z", "label": "y"}]
    snapshot = room.snapshot("a", split={"one": 0.5, "two": 0.5})
    assert room.snapshot("a", split={"one": 0.5, "two": 0.5}) == snapshot
    room.delete("a", "text == 'x'")
    room.datasets.remove(ANN, PROJECT, "a")
    assert room.snapshots.show(ANN, PROJECT, snapshot.hash) == snapshot
