"""Whatever the data and the policy: no masked value and no hidden row is in any answer's bytes.

Each value of the table is a word that occurs nowhere else. After a random policy every route that
could tell of the dataset is asked, and what came back is searched for words that are not to be
seen, as text and in what Parquet and Arrow files hold.
"""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.team import Team, team

pytestmark = pytest.mark.integration
VISION = "/projects/vision"
DATA = VISION + "/datasets/d"
ROLES = ("viewer", "application-developer", "data-engineer", "data-scientist")
PEOPLE = {"vic": "viewer", "app": "application-developer", "dan": "data-engineer"}
GROUPS = ("north", "south", "east")


@pytest.fixture
def vision(tmp_path: Path) -> Iterator[Team]:
    with team(tmp_path / "home", chunk_bytes=2000) as found:
        for name in ("mia", "sci", "gus", *PEOPLE):
            found.person(name)
        found.project("vision", mia="maintainer", sci="data-scientist", **PEOPLE)
        found.project("other", gus="maintainer")
        yield found


def word(number: int) -> int:
    """A number of nine digits that stands in no other place."""
    return 100_000_000 + zlib.crc32(str(number).encode()) % 900_000_000


class Table:
    """Random columns of words and numbers, a label, and a group that filters select by."""

    def __init__(self, chance: random.Random, rows: int, first: int) -> None:
        self.rows: list[dict[str, Any]] = []
        number = first
        for _ in range(rows):
            row: dict[str, Any] = {"grp": chance.choice(GROUPS)}
            for column in ("label", "text", "t1"):
                row[column] = f"w{word(number)}w"
                number += 1
            row["n0"], row["l0"] = word(number), [f"w{word(number + 1)}w"]
            row["b0"] = f"w{word(number + 2)}w".encode()
            number += 3
            self.rows.append(row)
        self.following = number

    def parquet(self) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(self.rows), sink)
        return sink.getvalue()


def random_policy(chance: random.Random) -> dict[str, Any]:
    columns = chance.sample(("label", "text", "t1", "n0", "l0", "b0"), chance.randint(0, 4))
    masks = []
    for column in columns:
        methods = ["null", "hash"] + (["redact"] if column in ("label", "text", "t1") else [])
        roles = ["maintainer", *chance.sample(ROLES, chance.randint(0, 2))]
        masks.append({"column": column, "method": chance.choice(methods), "roles": roles})
    filters = [
        {"roles": chance.sample(ROLES, chance.randint(1, 3)), "where": f"grp == '{group}'"}
        for group in chance.sample(GROUPS, chance.randint(0, 2))
    ]
    return {"visibility": "organisation", "masks": masks, "filters": filters}


def hidden_from(role: str, policy: dict[str, Any], rows: list[dict[str, Any]]) -> set[bytes]:
    """The words that somebody of this role must not see."""
    masked = {m["column"] for m in policy["masks"] if role not in m["roles"]}
    texts = [f["where"] for f in policy["filters"] if role in f["roles"]]
    words = set()
    for row in rows:
        shown = not texts or any(f"'{row['grp']}'" in text for text in texts)
        for column, value in row.items():
            if column != "grp" and (not shown or column in masked):
                words.add(_digits(value))
    return words


def _digits(value: Any) -> bytes:
    one = value[0] if isinstance(value, list) else value
    text = one.decode() if isinstance(one, bytes) else str(one)
    return text.strip("w").encode()


def readings(answer: httpx.Response) -> Iterator[bytes]:
    """The body and the headers, and what is in it when it is a file of rows."""
    yield answer.content + repr(answer.headers).encode()
    if answer.content[:4] == b"PAR1":
        file = pq.ParquetFile(io.BytesIO(answer.content))
        yield repr(file.read().to_pylist()).encode() + repr(file.metadata.to_dict()).encode()
        yield repr(
            [file.metadata.row_group(i).to_dict() for i in range(file.num_row_groups)]
        ).encode()
    elif "arrow" in answer.headers.get("content-type", "") and answer.status_code == 200:
        yield repr(pa.ipc.open_stream(answer.content).read_all().to_pylist()).encode()


def asks(
    team: Team, who: str, project: str, guesses: list[bytes], known: list[str]
) -> Iterator[httpx.Response]:
    """Every route that could tell, by one person who knows hashes of the whole, too."""
    api = team.api(who)
    yield from (api.get(VISION + path) for path in known)
    for path in ("", "/commits", "/commits/v1", "/commits/v2", "/policy", "/snapshots"):
        yield api.get(DATA + path)
    for ref in ("v1", "v2"):
        yield api.get(DATA + "/rows", params={"ref": ref, "limit": 100})
    for form in ("arrow", "parquet", "jsonl"):
        yield api.get(DATA + "/export", params={"format": form})
    yield api.get(DATA + "/export", params={"format": "csv", "columns": ["text", "n0", "label"]})
    yield api.get(DATA + "/diff", params={"base": "v1", "target": "v2"})
    for body in ({}, {"ref": "v1", "split": {"a": 0.5, "b": 0.5}}, {"columns": ["t1", "label"]}):
        made = api.post(DATA + "/snapshots", json=body)
        yield made
        if made.status_code == 201:
            yield api.get(f"{VISION}/snapshots/{made.json()['hash']}")
            for split in made.json()["splits"]:
                for chunk in split["chunks"]:
                    yield api.get(f"{VISION}/chunks/{chunk['sha256']}")
    for ref in ("dataset/d@v2", "dataset/d@v1"):
        yield api.get(VISION + "/lineage", params={"ref": ref})
    yield api.get(f"/projects/{project}/datasets")
    yield api.get(f"/projects/{project}/datasets", params={"shared": True})
    yield api.get(f"/projects/{project}/jobs")
    team.app.state.stopping.set()
    yield api.get("/events", params={"since": 0})
    team.app.state.stopping.clear()
    job = {"source": {"path": "t.py", "content": ""}, "inputs": {"x": {"dataset": "vision/d"}}}
    yield api.post(f"/projects/{project}/jobs/preflight", json=job)
    if who not in PEOPLE:
        yield api.post(f"/projects/{project}/jobs", json=job)
    ask_oracles(api, guesses)


def ask_oracles(api: httpx.Client, guesses: list[bytes]) -> None:
    """Questions that would tell a right guess from a wrong one."""
    for guess in guesses:
        for column in ("text", "label"):
            where = f"{column} == 'w{guess.decode()}w'"
            answer = api.get(DATA + "/rows", params={"where": where})
            if answer.status_code == 200:
                assert answer.json()["rows"] == [], where
                assert answer.json()["total"] == 0, where
            else:
                assert answer.json()["code"] == "column-masked", answer.text


@pytest.mark.parametrize("seed", range(4))
def test_nothing_hidden_is_in_any_answer(vision: Team, seed: int) -> None:
    chance = random.Random(seed)
    made = vision.api("mia").post(
        VISION + "/datasets", json={"name": "d", "kind": "text-classification"}
    )
    assert made.status_code == 201
    first = Table(chance, chance.randint(5, 40), 0)
    second = Table(chance, chance.randint(1, 40), first.following)
    for table in (first, second):
        answer = vision.commit("mia", DATA, "a.parquet", table.parquet())
        assert answer.status_code == 201, answer.text
    whole = vision.api("mia").post(DATA + "/snapshots", json={}).json()
    known = [f"/snapshots/{whole['hash']}"]
    known += [f"/chunks/{chunk['sha256']}" for chunk in whole["splits"][0]["chunks"]]
    rows = first.rows + second.rows
    for _ in range(2):
        policy = random_policy(chance)
        answer = vision.api("mia").put(DATA + "/policy", json=policy)
        assert answer.status_code == 200, answer.text
        who = chance.choice([*PEOPLE, "sci", "gus"])
        role = {**PEOPLE, "sci": "data-scientist", "gus": "viewer"}[who]
        words = hidden_from(role, policy, rows)
        seen = b""
        project = "other" if who == "gus" else "vision"
        for answer in asks(vision, who, project, sorted(words)[:3], known):
            assert answer.status_code < 500, answer.text
            seen = b"\n".join(readings(answer))
            leaked = [w for w in words if w in seen]
            assert not leaked, (seed, who, policy, str(answer.url), leaked[:3])
    whole = vision.api("mia").get(DATA + "/export", params={"format": "jsonl"}).content
    assert all(_digits(row["text"]) in whole for row in rows)
