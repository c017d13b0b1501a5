"""Jobs, names, events and lineage under a data policy: over HTTP, as several people."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from dlsys_server.access import tokens
from tests.support.team import Team
from tests.support.vision import EMAIL, ON_BOTH, VISION, chunk, freeze, policy

pytestmark = pytest.mark.integration


def job_token(vision: Team, owner: str, job: str, project: str) -> str:
    with vision.database.write() as session:
        _, secret = tokens.issue(
            session, "job", name="j", owner=owner, project=project, subject=f"job/{job}"
        )
    return secret


def submit(vision: Team, who: str, project: str, reference: str) -> httpx.Response:
    body = {
        "source": {"path": "t.py", "content": "print(1)\n"},
        "inputs": {"data": {"dataset": reference}},
    }
    return vision.api(who).post(f"/projects/{project}/jobs", json=body)


def test_a_job_reads_what_its_owner_sees(vision: Team) -> None:
    policy(vision, masks=[EMAIL], export=[])
    made = submit(vision, "sci", "vision", "people@v1")
    assert made.status_code == 201, made.text
    job = made.json()
    api = vision.api(job_token(vision, "sci", job["id"], "vision"))
    snapshot = api.get(f"{VISION}/snapshots/{job['inputs']['data']['snapshot']}").json()
    data = api.get(chunk(snapshot))
    assert data.status_code == 200 and b"secret.example" not in data.content
    assert vision.api("sci").get(chunk(snapshot)).status_code == 403
    whole = freeze(vision.api("eng"))
    assert api.get(chunk(whole)).status_code == 404
    policy(vision, visibility="private")
    assert api.get(chunk(snapshot)).status_code == 404


@ON_BOTH
def test_a_job_of_another_project_reads_what_is_shared(vision: Team) -> None:
    for reference in ("vision/people@v1", "dlsys://vision/dataset/people@v1"):
        assert submit(vision, "eve", "other", reference).json()["code"] == "no-such-project"
    policy(vision, visibility="organisation", masks=[EMAIL])
    for reference in ("vision/people@v1", "dlsys://vision/dataset/people@v1"):
        job = submit(vision, "eve", "other", reference).json()
        assert job["inputs"]["data"]["project"] == "vision"
    api = vision.api(job_token(vision, "eve", job["id"], "other"))
    there = f"/projects/other/snapshots/{job['inputs']['data']['snapshot']}"
    snapshot = api.get(there).json()
    path = chunk(snapshot).replace("vision", "other")
    assert b"secret.example" not in api.get(path).content
    policy(vision, visibility="groups", groups=["marketing"])
    assert api.get(path).status_code == 404
    assert vision.api("eve").get(f"/projects/other/jobs/{job['id']}").json()["inputs"] == {}
    seen = vision.api("gus").get(f"/projects/other/jobs/{job['id']}").json()
    assert seen["inputs"]["data"]["dataset"] == "people"


@ON_BOTH
def test_names_are_told_only_to_who_sees_them(vision: Team) -> None:
    policy(vision, visibility="private")
    snapshot = freeze(vision.api("eng"))
    vision.api("mia").put(f"{VISION}/members/user/eng", json={"role": "data-scientist"})
    job = submit(vision, "eng", "vision", "people").json()
    for who in ("sci", "vic"):
        api = vision.api(who)
        assert api.get(f"{VISION}/jobs/{job['id']}").json()["inputs"] == {}
        assert "people" not in api.get(VISION + "/jobs").text
        assert "people" not in events(vision, who)
        for ref in ("dataset/people@v1", f"snapshot/{snapshot['hash']}", "dataset/people"):
            assert api.get(VISION + "/lineage", params={"ref": ref}).status_code == 404
    assert vision.api("sci").post(f"{VISION}/jobs/{job['id']}/retry").status_code in (404, 409)
    assert "people" in events(vision, "eng")
    assert vision.api("eng").get(f"{VISION}/jobs/{job['id']}").json()["inputs"]
    graph = vision.api("eng").get(VISION + "/lineage", params={"ref": "dataset/people@v1"}).json()
    assert len(graph["nodes"]) == 2


def test_events_and_lineage_tell_no_counts_of_what_one_sees_in_part(vision: Team) -> None:
    policy(vision, filters=[{"roles": ["viewer"], "where": "age >= 18"}])
    freeze(vision.api("eng"))
    freeze(vision.api("vic"))
    told = [e for e in parsed(events(vision, "vic")) if e["topic"] == "dataset.committed"]
    assert [e["payload"] for e in told] == [{"version": 1}]
    graph = vision.api("vic").get(VISION + "/lineage", params={"ref": "dataset/people@v1"}).json()
    assert [(n["type"], n["properties"]) for n in graph["nodes"]] == [
        ("dataset_version", {}),
        ("snapshot", {}),
    ]
    whole = vision.api("eng").get(VISION + "/lineage", params={"ref": "dataset/people@v1"}).json()
    assert len(whole["nodes"]) == 3 and whole["nodes"][0]["properties"]["rows"] == 4


def events(vision: Team, who: str) -> str:
    """All events so far: a stream that ends, since the platform is said to stop."""
    vision.app.state.stopping.set()
    try:
        return vision.api(who).get("/events", params={"since": 0}).text
    finally:
        vision.app.state.stopping.clear()


def parsed(stream: str) -> list[Any]:
    lines = (line.removeprefix("data: ") for line in stream.splitlines() if line[:6] == "data: ")
    return [json.loads(line) for line in lines]
