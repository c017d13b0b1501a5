"""Who may see which datasets, columns and rows: over HTTP, as several people, on both databases."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.support.team import Team
from tests.support.vision import CSV, EMAIL, ON_BOTH, PEOPLE, VISION, chunk, freeze, policy

pytestmark = pytest.mark.integration


READS = (
    ("GET", PEOPLE),
    ("GET", PEOPLE + "/commits"),
    ("GET", PEOPLE + "/commits/v1"),
    ("GET", PEOPLE + "/rows"),
    ("GET", PEOPLE + "/export"),
    ("GET", PEOPLE + "/diff?base=v1&target=v1"),
    ("GET", PEOPLE + "/policy"),
    ("POST", PEOPLE + "/snapshots"),
    ("GET", PEOPLE + "/snapshots"),
)
CHANGES = (
    ("PUT", PEOPLE + "/tags/gold", {"version": 1}),
    ("POST", PEOPLE + "/commits", {"operation": "delete", "where": "age == 17"}),
    ("PUT", PEOPLE + "/policy", {}),
    ("DELETE", PEOPLE, None),
)
SEES = {
    "private": {"mia", "eng"},
    "project": {"mia", "eng", "sci", "vic"},
    "groups": {"mia", "eng", "sci", "vic", "gus"},
    "organisation": {"mia", "eng", "sci", "vic", "gus", "eve", "out"},
}


@ON_BOTH
@pytest.mark.parametrize("visibility", SEES)
def test_who_sees_a_dataset(vision: Team, visibility: str) -> None:
    policy(vision, visibility=visibility, groups=["marketing"] if visibility == "groups" else [])
    snapshot = freeze(vision.api("eng"))
    reads = [*READS, ("GET", f"{VISION}/snapshots/{snapshot['hash']}"), ("GET", chunk(snapshot))]
    for who in SEES["organisation"]:
        api, sees = vision.api(who), who in SEES[visibility]
        for method, path in reads:
            answer = api.request(method, path, json={} if method == "POST" else None)
            wanted = (200, 201) if sees else (404,)
            assert answer.status_code in wanted, (who, method, path, answer.text)
        own = "u-" + who if who in ("gus", "eve", "out") else "vision"
        listed = [d["name"] for d in api.get(f"/projects/{own}/datasets").json()["items"]]
        shared = api.get(f"/projects/{own}/datasets", params={"shared": True}).json()["items"]
        assert listed == (["people"] if own == "vision" and sees else []), who
        guest = own != "vision" and sees
        assert [d["project"] for d in shared] == (["vision"] if guest else []), who


@ON_BOTH
def test_guests_only_read(vision: Team) -> None:
    policy(vision, visibility="organisation")
    for who in ("gus", "eve", "out"):
        for method, path, body in CHANGES:
            answer = vision.api(who).request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "no-such-project"), path
        for path in ("", "/datasets", "/jobs", "/runs", "/members", "/lineage?ref=dataset/people"):
            assert vision.api(who).get(VISION + path).status_code == 404, path


def test_only_owner_and_maintainers_change_a_policy(vision: Team) -> None:
    for who, status in {"eng": 200, "mia": 200, "sci": 403, "vic": 403, "eve": 404}.items():
        answer = vision.api(who).put(PEOPLE + "/policy", json={"masks": [EMAIL]})
        assert answer.status_code == status, who
    vision.api("mia").put(f"{VISION}/members/user/eng", json={"role": "viewer"})
    assert vision.api("eng").put(PEOPLE + "/policy", json={}).status_code == 403
    newest = vision.api("mia").get("/audit", params={"operation": "datasets.set_policy"}).json()
    told = {(row["actor"], row["outcome"]) for row in newest["items"]}
    assert {("mia", "allowed"), ("sci", "refused"), ("eng", "refused")} <= told


def test_what_is_not_there_and_what_is_not_yours_are_one_answer(vision: Team) -> None:
    policy(vision, visibility="private")
    snapshot = freeze(vision.api("eng"))
    there = [*READS, ("GET", f"{VISION}/snapshots/{snapshot['hash']}"), ("GET", chunk(snapshot))]
    there.append(("GET", VISION + "/lineage?ref=dataset/people@v1"))
    for who in ("sci", "eve"):
        for method, path in there:
            missing = path.replace("people", "nothing") if who == "sci" else None
            missing = missing or path.replace("vision", "nowhere")
            for name in (snapshot["hash"], chunk(snapshot).rpartition("/")[2]):
                missing = missing.replace(name, name[:-8] + "0" * 8)
            body = {} if method == "POST" else None
            one = vision.api(who).request(method, path, json=body)
            two = vision.api(who).request(method, missing, json=body)
            assert one.status_code == two.status_code == 404, (who, path, one.text)
            assert neutral(one) == neutral(two), (who, path)


def neutral(answer: httpx.Response) -> tuple[dict[str, Any], list[str]]:
    """Body and headers without names and numbers of requests."""
    body = {k: v for k, v in answer.json().items() if k not in ("instance", "request_id")}
    for name in ("people", "nothing", "vision", "nowhere"):
        body["detail"] = body["detail"].replace(name, "*")
    if body["code"] in ("no-such-snapshot", "no-such-chunk"):
        body["detail"] = body["detail"][:20]
    return body, sorted(h for h in answer.headers if h != "content-length")


def test_strangers_cannot_tell_by_the_time(vision: Team) -> None:
    policy(vision, visibility="private")

    eve, took = vision.api("eve"), {PEOPLE: 9.0, "/projects/nowhere/datasets/people": 9.0}
    for _ in range(40):
        for path, best in took.items():
            began = time.perf_counter()
            eve.get(path)
            took[path] = min(best, time.perf_counter() - began)
    there, not_there = took.values()
    assert abs(there - not_there) < max(0.005, not_there / 2)


def test_masked_columns(vision: Team) -> None:
    policy(vision, masks=[EMAIL, {"column": "name", "method": "redact"}, hashed("city")])
    rows = vision.api("vic").get(PEOPLE + "/rows").json()
    assert [c["name"] for c in rows["columns"]] == ["name", "email", "age", "city"]
    first, second, third, _ = rows["rows"]
    assert (first["name"], first["email"], first["age"]) == ("•••", None, 36)
    assert first["city"] == second["city"] != third["city"]
    whole = vision.api("mia").get(PEOPLE + "/rows").json()["rows"]
    assert whole[0] == {"name": "Ada", "email": "ada@secret.example", "age": 36, "city": "Bonn"}
    assert vision.api("eng").get(PEOPLE + "/rows").json()["rows"] == whole
    for where in ("email == 'ada@secret.example'", "len(name) > 2", "city == 'Bonn'"):
        answer = vision.api("vic").get(PEOPLE + "/rows", params={"where": where})
        assert (answer.status_code, answer.json()["code"]) == (400, "column-masked")
        answer = vision.api("vic").post(PEOPLE + "/snapshots", json={"where": where})
        assert (answer.status_code, answer.json()["code"]) == (400, "column-masked")
    told = vision.api("vic").get(PEOPLE + "/policy").json()
    assert (told["masked"], told["may_change"]) == (["city", "email", "name"], False)


def hashed(column: str) -> dict[str, Any]:
    return {"column": column, "method": "hash"}


def test_equal_values_have_equal_hashes_in_a_project_and_others_elsewhere(vision: Team) -> None:
    policy(vision, masks=[hashed("email")])
    more = VISION + "/datasets/orders"
    vision.api("eng").post(VISION + "/datasets", json={"name": "orders"})
    vision.commit("eng", more, "a.csv", b"who,sum\nbob@secret.example,5\n")
    vision.api("eng").put(more + "/policy", json={"masks": [hashed("who")]})
    there = "/projects/other/datasets/copy"
    vision.api("gus").post("/projects/other/datasets", json={"name": "copy"})
    vision.commit("gus", there, "a.csv", CSV)
    vision.api("gus").put(there + "/policy", json={"masks": [hashed("email")]})
    rows = vision.api("vic").get(PEOPLE + "/rows").json()["rows"]
    emails = [row["email"] for row in rows]
    assert len(set(emails)) == 3 and emails[1] == emails[3]
    order = vision.api("vic").get(more + "/rows").json()["rows"][0]
    assert order["who"] == emails[1]
    elsewhere = vision.api("eve").get(there + "/rows").json()["rows"]
    assert {row["email"] for row in elsewhere}.isdisjoint(emails)


@ON_BOTH
def test_rows_that_a_role_sees(vision: Team) -> None:
    policy(vision, filters=[{"roles": ["viewer"], "where": "age >= 18 and city != 'Atlantis'"}])
    api = vision.api("vic")
    assert [r["name"] for r in api.get(PEOPLE + "/rows").json()["rows"]] == ["Ada", "Dee"]
    assert api.get(PEOPLE + "/rows", params={"offset": 1}).json()["total"] == 2
    assert api.get(PEOPLE).json()["rows"] == 2
    version = api.get(PEOPLE + "/commits/v1").json()
    assert (version["rows"], version["rows_added"], version["statistics"]["rows"]) == (2, 2, 2)
    ages = next(c for c in version["statistics"]["columns"] if c["name"] == "age")
    assert (ages["minimum"], ages["maximum"]) == (36, 41)
    assert freeze(api)["rows"] == 2
    for who in ("sci", "mia", "eng"):
        assert vision.api(who).get(PEOPLE).json()["rows"] == 4
    told = api.get(PEOPLE + "/policy").json()
    assert (told["filters"], told["filtered"]) == ([], True)


def test_the_history_of_what_one_sees(vision: Team) -> None:
    policy(vision, filters=[{"roles": ["viewer"], "where": "age >= 18"}])
    vision.commit("eng", PEOPLE, "b.csv", b"name,email,age,city\nEva,e@x,5,Rom\nFox,f@x,50,Rom\n")
    delete = {"operation": "delete", "where": "city == 'Bonn'"}
    assert vision.api("eng").post(PEOPLE + "/commits", json=delete).status_code == 201
    lines = vision.api("vic").get(PEOPLE + "/commits").json()["items"]
    told = [(v["version"], v["rows"], v["rows_added"], v["rows_removed"]) for v in lines]
    assert told == [(3, 3, 0, 1), (2, 4, 1, 0), (1, 3, 3, 0)]
    change = vision.api("vic").get(PEOPLE + "/diff", params={"base": "v1", "target": "v2"}).json()
    assert (change["rows_added"], [r["name"] for r in change["added"]]) == (1, ["Fox"])
    by_hash = vision.api("vic").get(f"{PEOPLE}/commits/{lines[1]['hash']}").json()
    assert by_hash["version"] == 2
    whole = vision.api("eng").get(PEOPLE + "/commits").json()["items"][1]["hash"]
    assert vision.api("vic").get(f"{PEOPLE}/commits/{whole}").status_code == 404


def test_who_sees_a_part_removes_nothing_unseen(vision: Team) -> None:
    vision.api("mia").put(f"{VISION}/members/user/vic", json={"role": "data-engineer"})
    only = [{"roles": ["data-engineer"], "where": "age >= 18"}]
    policy(vision, masks=[EMAIL], filters=only)
    delete = {"operation": "delete", "where": "city == 'Ulm'"}
    answer = vision.api("vic").post(PEOPLE + "/commits", json=delete)
    assert (answer.status_code, answer.json()["code"]) == (403, "rows-hidden")
    answer = vision.api("vic").delete(PEOPLE)
    assert (answer.status_code, answer.json()["code"]) == (403, "rows-hidden")
    policy(vision, masks=[EMAIL])
    asks = {"operation": "delete", "where": "email.startswith('ada')"}
    answer = vision.api("vic").post(PEOPLE + "/commits", json=asks)
    assert (answer.status_code, answer.json()["code"]) == (400, "column-masked")
    made = vision.commit("vic", PEOPLE, "b.csv", b"name,email,age,city\nEva,e@x,5,Rom\n").json()
    email = next(c for c in made["statistics"]["columns"] if c["name"] == "email")
    assert (email["missing"], email["distinct"], email["top"]) == (5, None, [])


@ON_BOTH
def test_a_policy_counts_at_once_and_takes_old_snapshots_away(vision: Team) -> None:
    before = freeze(vision.api("sci"))
    again = freeze(vision.api("vic"))
    assert before["hash"] == again["hash"]
    policy(vision, masks=[EMAIL])
    api = vision.api("sci")
    assert api.get(f"{VISION}/snapshots/{before['hash']}").status_code == 404
    assert api.get(chunk(before)).status_code == 404
    assert [s["hash"] for s in api.get(PEOPLE + "/snapshots").json()["items"]] == []
    mine, theirs = freeze(api), freeze(vision.api("vic"))
    assert mine["hash"] == theirs["hash"] != before["hash"]
    assert api.get(chunk(mine)).status_code == 200
    assert vision.api("mia").get(chunk(mine)).status_code == 200
    assert b"secret.example" not in api.get(chunk(mine)).content
    policy(vision)
    assert api.get(chunk(before)).status_code == 200
    assert api.get(f"{VISION}/snapshots/{mine['hash']}").status_code == 200


def test_a_chunk_is_given_only_to_who_may_read_it(vision: Team) -> None:
    policy(vision, visibility="organisation", masks=[EMAIL])
    whole, part = freeze(vision.api("eng")), freeze(vision.api("vic"))
    for who in ("vic", "sci", "gus", "eve"):
        assert vision.api(who).get(chunk(whole)).status_code == 404
        assert vision.api(who).get(chunk(part)).status_code == 200
        elsewhere = chunk(part).replace("vision", "u-" + who)
        assert vision.api(who).get(elsewhere).status_code == 404


def test_export_may_be_forbidden(vision: Team) -> None:
    policy(vision, visibility="organisation", export=["data-scientist"])
    for who, status in {"sci": 200, "vic": 403, "mia": 403, "eng": 403, "eve": 403}.items():
        api = vision.api(who)
        snapshot = freeze(api)
        assert (snapshot["local_root"] is None) == (status == 403 or who == "eve"), who
        answers = [api.get(PEOPLE + "/export"), api.get(chunk(snapshot))]
        answers.append(api.get(PEOPLE + "/rows", params={"offset": 190, "limit": 20}))
        for answer in answers:
            assert answer.status_code == status, (who, answer.url)
            assert status == 200 or answer.json()["code"] == "export-forbidden"
        assert api.get(PEOPLE + "/rows").json()["total"] == 4
    seen = vision.api("mia").get("/audit", params={"operation": "datasets.export"}).json()["items"]
    assert ("vic", "refused") in {(row["actor"], row["outcome"]) for row in seen}


@pytest.mark.parametrize(
    "body",
    [
        {"visibility": "groups"},
        {"groups": ["marketing"]},
        {"masks": [{"column": "nothing"}]},
        {"masks": [{"column": "age", "method": "redact"}]},
        {"masks": [EMAIL, EMAIL]},
        {"filters": [{"roles": ["viewer"], "where": "nothing == 1"}]},
        {"filters": [{"roles": ["viewer"], "where": "import os"}]},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(vision: Team, body: Any) -> None:
    answer = vision.api("eng").put(PEOPLE + "/policy", json=body)
    assert answer.status_code == 400 and answer.json()["code"] in ("bad-policy", "bad-filter")
    assert vision.api("vic").get(PEOPLE + "/policy").json()["masks"] == []


def test_a_filter_that_fits_no_more_hides_all(vision: Team) -> None:
    policy(vision, filters=[{"roles": ["viewer"], "where": "age >= 18"}])
    body = {"operation": "replace"}
    assert vision.commit("eng", PEOPLE, "b.csv", b"who\nAda\n", **body).status_code == 201
    api = vision.api("vic")
    assert api.get(PEOPLE + "/rows").json()["rows"] == []
    assert api.get(PEOPLE + "/export", params={"format": "csv"}).text.strip() == '"who"'
    assert api.get(PEOPLE).json()["rows"] == 0
    assert api.post(PEOPLE + "/snapshots", json={}).json()["code"] == "no-rows"
