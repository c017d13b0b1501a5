"""Bytes that datasets keep: each chunk once, snapshots too, removed datasets not, quotas hold."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core.errors import Forbidden
from dlsys_server.datasets.storage import Measuring, stored
from dlsys_server.datasets.tables import ChunkRow
from jupyter_dlsys.contract.quotas import LimitsRequest
from tests.support.datasets import ANN, PROJECT, Room, csv

ADA = Principal.of("ada", "user", PROJECT, (PROJECT,), expand(frozenset({Scope.ADMIN})))
MANY = tuple((f"a{n}", "xyz"[n % 3]) for n in range(200))


def kept(room: Room) -> float:
    with room.database.read() as session:
        found = stored(session, "project")
        assert stored(session, "user") == {ANN.name: found[PROJECT]} if found else True
        assert stored(session, "project", [PROJECT]) == found
        assert stored(session, "project", ["other"]) == {}
    return found.get(PROJECT, 0.0)


def chunk_sizes(room: Room) -> int:
    with room.database.read() as session:
        chunks = set(session.scalars(select(ChunkRow.sha256)))
    return sum(room.store.size(sha) for sha in chunks)


def test_each_chunk_counts_once_at_its_size_in_the_store(room: Room) -> None:
    assert kept(room) == 0
    for name in ("one", "two"):
        room.create(name)
        room.commit(name, "a.csv", csv(*MANY))
    assert kept(room) == chunk_sizes(room) > 0
    room.commit("one", "b.csv", csv(("b", "x")))
    room.snapshot("one", where="label == 'x'")
    assert kept(room) == chunk_sizes(room)


def test_what_only_a_removed_dataset_has_does_not_count(room: Room) -> None:
    for name in ("one", "two"):
        room.create(name)
    room.commit("one", "a.csv", csv(*MANY))
    first = kept(room)
    room.commit("two", "b.csv", csv(*MANY, ("b", "x")))
    room.datasets.remove(ANN, PROJECT, "two")
    assert kept(room) == first
    snapshot = room.snapshot("one", where="label == 'x'")
    assert snapshot.rows > 0
    with_snapshot = kept(room)
    room.datasets.remove(ANN, PROJECT, "one")
    assert 0 < kept(room) <= with_snapshot


def test_a_commit_and_a_snapshot_over_the_limit_leave_nothing(room: Room) -> None:
    room.create("one")
    room.commit("one", "a.csv", csv(*MANY))
    used = int(kept(room))
    room.quotas.set(ADA, "project", PROJECT, LimitsRequest(storage_bytes=used + 10))
    for more in (
        lambda: room.commit("one", "b.csv", csv(("b", "x"))),
        lambda: room.snapshot("one", where="label == 'x'"),
    ):
        with pytest.raises(Forbidden) as caught:
            more()
        assert caught.value.code == "quota-exceeded"
    assert room.history("one") == [1]
    assert kept(room) == used
    room.quotas.unset(ADA, "project", PROJECT)
    assert room.commit("one", "b.csv", csv(("b", "x"))).version == 2


def test_chunks_of_earlier_versions_are_measured(room: Room) -> None:
    room.create("one")
    room.commit("one", "a.csv", csv(*MANY))
    room.snapshot("one", where="label == 'x'")
    before = kept(room)
    with room.database.write() as session:
        session.execute(update(ChunkRow).values(bytes=None, owner=""))
    assert kept(room) == 0
    measuring = Measuring(room.database, room.store)
    assert measuring.step(woken=True) == 0  # at once again
    assert measuring.step(woken=False) > 60  # nothing is left
    assert kept(room) == before
