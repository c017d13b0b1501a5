"""Commits: what becomes visible, what is refused, and that nothing is lost."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from dlsys_server.core.errors import Conflict, InvalidInput, NotFound, Refused
from dlsys_server.datasets import manifest
from dlsys_server.datasets.tables import ChunkRow, VersionRow
from jupyter_dlsys.contract.datasets import CommitRequest, CreateDataset, TagRequest
from tests.support.datasets import ANN, PROJECT, Room, csv, jsonl


def test_a_first_commit_is_version_one(room: Room) -> None:
    room.create()
    made = room.commit("tweets", "a.csv", csv(("hi", "happy"), ("oh", "sad")), message="first")
    assert (made.version, made.rows, made.rows_added, made.parent) == (1, 2, 2, None)
    assert made.labels == ["happy", "sad"]
    assert made.author == "ann"
    assert room.rows("tweets") == [
        {"text": "hi", "label": "happy"},
        {"text": "oh", "label": "sad"},
    ]
    shown = room.datasets.show(ANN, PROJECT, "tweets")
    assert (shown.version, shown.rows, shown.hash) == (1, 2, made.hash)
    assert room.datasets.version(ANN, PROJECT, "tweets", "latest") == made


def test_append_replace_delete(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x"), ("b", "y")))
    two = room.commit("tweets", "b.csv", csv(("c", "z")))
    assert [r["text"] for r in room.rows("tweets")] == ["a", "b", "c"]
    three = room.delete("tweets", "label == 'y'")
    assert (three.rows, three.rows_removed, three.rows_added) == (2, 1, 0)
    assert [r["text"] for r in room.rows("tweets")] == ["a", "c"]
    four = room.commit("tweets", "d.csv", csv(("new", "w")), operation="replace")
    assert (four.rows, four.rows_added, four.rows_removed) == (1, 1, 2)
    assert [r["text"] for r in room.rows("tweets")] == ["new"]
    assert [r["text"] for r in room.rows("tweets", two.hash)] == ["a", "b", "c"]
    assert room.history("tweets") == [4, 3, 2, 1]


def test_old_versions_stay_as_they_were(room: Room) -> None:
    room.create()
    first = room.commit("tweets", "a.csv", csv(("a", "x")))
    for number in range(5):
        room.commit("tweets", "b.csv", csv((f"n{number}", "x")))
    room.delete("tweets", "text == 'a'")
    assert [r["text"] for r in room.rows("tweets", "v1")] == ["a"]
    assert room.datasets.version(ANN, PROJECT, "tweets", "v1").hash == first.hash


def test_label_ids_keep_their_order_of_arrival(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("1", "sad"), ("2", "happy")))
    made = room.commit("tweets", "b.csv", csv(("3", "angry"), ("4", "happy"), ("5", "zen")))
    assert made.labels == ["happy", "sad", "angry", "zen"]
    assert room.delete("tweets", "label == 'happy'").labels == ["happy", "sad", "angry", "zen"]


def test_a_refused_commit_leaves_nothing(room: Room) -> None:
    room.create(kind="tabular")
    room.commit("tweets", "a.csv", csv((1, "x"), header="score,name"))
    events = len(room.told())
    with pytest.raises(Refused) as caught:
        room.commit("tweets", "b.csv", csv((2, "y"), ("many", "z"), header="score,name"))
    problem = caught.value.errors[0]
    assert (problem.row, problem.column) == (2, "score")
    assert (problem.expected, problem.got) == ("int64", "'many'")
    assert "row 2" in caught.value.detail
    assert room.history("tweets") == [1]
    assert len(room.told()) == events


def test_at_most_twenty_problems(room: Room) -> None:
    room.create()
    with pytest.raises(Refused) as caught:
        room.commit("tweets", "a.csv", csv(*[("", "x")] * 50))
    assert [p.row for p in caught.value.errors] == list(range(1, 21))


def test_a_new_column_is_null_before(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")))
    made = room.commit("tweets", "b.jsonl", jsonl({"text": "b", "label": "x", "stars": 4}))
    assert [c.name for c in made.columns] == ["text", "label", "stars"]
    assert [r["stars"] for r in room.rows("tweets")] == [None, 4]
    room.commit("tweets", "c.csv", csv(("c", "x")))
    assert [r["stars"] for r in room.rows("tweets")] == [None, 4, None]
    assert "stars" not in room.rows("tweets", "v1")[0]


def test_missing_column_names_the_near_one(room: Room) -> None:
    room.create()
    with pytest.raises(Refused) as caught:
        room.commit("tweets", "a.csv", csv(("a", "x"), header="texts,label"))
    assert caught.value.errors[0].column == "text"
    assert "texts" in caught.value.errors[0].message


def test_parent_must_be_the_newest(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")), parent=0)
    room.commit("tweets", "a.csv", csv(("b", "x")), parent=1)
    with pytest.raises(Conflict) as caught:
        room.commit("tweets", "a.csv", csv(("c", "x")), parent=1)
    assert caught.value.code == "parent-moved"
    assert room.history("tweets") == [2, 1]


def test_a_retried_commit_is_one_commit(room: Room) -> None:
    room.create()
    body = CommitRequest(files=[room.upload("a.csv", csv(("a", "x")))])
    first = room.datasets.commit(ANN, PROJECT, "tweets", body, "key")
    again = room.datasets.commit(ANN, PROJECT, "tweets", body, "key")
    assert again == first
    assert room.history("tweets") == [1]
    other = CommitRequest(files=[room.upload("a.csv", csv(("b", "x")))])
    with pytest.raises(Conflict):
        room.datasets.commit(ANN, PROJECT, "tweets", other, "key")


def test_two_writers_lose_nothing(room: Room) -> None:
    room.create()
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(8):
                room.commit("tweets", "a.csv", csv((f"{writer}-{number}", f"label{writer}")))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert room.history("tweets") == list(range(24, 0, -1))
    texts = [r["text"] for r in room.rows("tweets")]
    assert sorted(texts) == sorted(f"{w}-{n}" for w in range(3) for n in range(8))
    for writer in range(3):
        assert [t for t in texts if t[0] == str(writer)] == [f"{writer}-{n}" for n in range(8)]


def test_delete_shares_untouched_chunks_and_keeps_their_origin(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")), tags={"lang": "de"})
    room.commit("tweets", "b.csv", csv(("b", "x"), ("c", "y")), tags={"lang": "fr"})
    before = _entries(room)
    room.delete("tweets", "text == 'c'")
    after = _entries(room)
    assert after[0] == before[0]
    assert (after[1].origin, after[1].rows) == (2, 1)
    assert room.snapshot("tweets", tags={"lang": "fr"}).rows == 1


def test_equal_rows_are_stored_once(room: Room) -> None:
    for name in ("one", "two"):
        room.create(name)
        room.commit(name, "a.csv", csv(("a", "x")))
    with room.database.read() as session:
        chunks = session.scalars(select(ChunkRow.sha256)).all()
    assert len(chunks) == 2
    assert len(set(chunks)) == 1


def test_nothing_to_delete(room: Room) -> None:
    room.create()
    with pytest.raises(InvalidInput):
        room.delete("tweets", "text == 'c'")
    room.commit("tweets", "a.csv", csv(("a", "x")))
    with pytest.raises(Refused) as caught:
        room.delete("tweets", "text == 'c'")
    assert caught.value.code == "nothing-matches"


def test_all_rows_can_be_deleted_and_new_ones_appended(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")))
    assert room.delete("tweets", "text == 'a'").rows == 0
    assert room.rows("tweets") == []
    room.commit("tweets", "a.csv", csv(("b", "x")))
    assert [r["text"] for r in room.rows("tweets")] == ["b"]


def test_the_manifest_stays_small_over_many_commits(room: Room) -> None:
    room.create(kind="tabular", name="many")
    for number in range(manifest.FANOUT + 3):
        room.commit("many", "a.csv", csv((number,), header="n"))
    with room.database.read() as session:
        newest = session.scalar(select(func.max(VersionRow.version)))
        row = session.scalar(select(VersionRow).where(VersionRow.version == newest))
    assert row is not None
    root = manifest.load(room.store, row.manifest)
    assert [len(level) for level in root.levels] == [3, 1]
    assert [r["n"] for r in room.rows("many")] == list(range(manifest.FANOUT + 3))
    page = room.datasets.rows(ANN, PROJECT, "many", "", None, None, manifest.FANOUT - 1, 2)
    assert [r["n"] for r in page.rows] == [manifest.FANOUT - 1, manifest.FANOUT]


def test_tags_do_not_move_silently(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")))
    room.commit("tweets", "b.csv", csv(("b", "x")))
    tag = room.datasets.tag
    assert tag(ANN, PROJECT, "tweets", "gold", TagRequest(version=1)).tags == {"gold": 1}
    tag(ANN, PROJECT, "tweets", "gold", TagRequest(version=1))
    with pytest.raises(Conflict):
        tag(ANN, PROJECT, "tweets", "gold", TagRequest(version=2))
    moved = tag(ANN, PROJECT, "tweets", "gold", TagRequest(version=2, move=True))
    assert moved.tags == {"gold": 2}
    assert [e.payload["before"] for e in room.told("dataset.tagged")] == [None, 1]
    assert [r["text"] for r in room.rows("tweets", "gold")] == ["a", "b"]
    assert room.datasets.version(ANN, PROJECT, "tweets", "v2").names == ["gold"]
    assert room.datasets.untag(ANN, PROJECT, "tweets", "gold").tags == {}
    for bad in ("v2", "2", "latest", "a/b"):
        with pytest.raises(InvalidInput):
            tag(ANN, PROJECT, "tweets", bad, TagRequest(version=1))
    with pytest.raises(NotFound):
        tag(ANN, PROJECT, "tweets", "gold", TagRequest(version=9))


def test_a_removed_dataset_frees_its_name_and_keeps_its_snapshots(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")))
    snapshot = room.snapshot("tweets")
    with pytest.raises(Conflict):
        room.create()
    room.datasets.remove(ANN, PROJECT, "tweets")
    with pytest.raises(NotFound):
        room.datasets.show(ANN, PROJECT, "tweets")
    room.create()
    assert room.datasets.show(ANN, PROJECT, "tweets").version == 0
    assert room.snapshots.show(ANN, PROJECT, snapshot.hash).hash == snapshot.hash
    assert room.fetch(snapshot.splits[0].chunks[0].sha256)


def test_events_and_lineage(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")))
    room.commit("tweets", "a.csv", csv(("b", "x")))
    snapshot = room.snapshot("tweets")
    topics = [e.topic for e in room.told()]
    assert topics == [
        "dataset.created",
        "dataset.committed",
        "dataset.committed",
        "snapshot.created",
    ]
    assert {e.subject for e in room.told()} == {"dataset/tweets"}
    graph = room.lineage.show(ANN, PROJECT, f"snapshot/{snapshot.hash}", "up", 5, 50)
    assert {n.name for n in graph.nodes} == {snapshot.hash, "tweets@v1", "tweets@v2"}
    assert [e.kind for e in graph.edges] == ["derived_from", "derived_from"]


def test_created_once_per_key(room: Room) -> None:
    body = CreateDataset(name="n", kind="generic")
    first = room.datasets.create(ANN, PROJECT, body, "k")
    assert room.datasets.create(ANN, PROJECT, body, "k") == first


def test_bad_commit_requests(room: Room) -> None:
    room.create()
    for body in (
        CommitRequest(),
        CommitRequest(operation="delete"),
        CommitRequest(files=[room.upload("a.csv", "x")], where="text == 'a'"),
    ):
        with pytest.raises(InvalidInput):
            room.datasets.commit(ANN, PROJECT, "tweets", body)


def _entries(room: Room) -> list[manifest.ChunkEntry]:
    with room.database.read() as session:
        row = session.scalars(select(VersionRow).order_by(VersionRow.version.desc())).first()
    assert row is not None
    root = manifest.load(room.store, row.manifest)
    return [entry for _, entry in manifest.chunks(room.store, root)]
