"""A project 'vision' with a dataset 'people', and words for what tests of its policy do."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.installation import Team

VISION = "/projects/vision"
PEOPLE = VISION + "/datasets/people"
CSV = (
    b"name,email,age,city\n"
    b"Ada,ada@secret.example,36,Bonn\n"
    b"Bob,bob@secret.example,17,Bonn\n"
    b"Cy,cy@secret.example,52,Atlantis\n"
    b"Dee,bob@secret.example,41,Ulm\n"
)
EMAIL = {"column": "email", "method": "null", "roles": ["maintainer"]}
ON_BOTH = pytest.mark.parametrize("vision", ["sqlite", "postgres"], indirect=True)


def fill(found: Team) -> None:
    """Mia maintains, eng wrote the dataset, sci and vic look; gus and eve are strangers."""
    for name in ("mia", "eng", "sci", "vic", "eve", "out"):
        found.person(name)
    found.person("gus", "marketing")
    found.project(
        "vision",
        mia="maintainer",
        eng="data-engineer",
        sci="data-scientist",
        vic="viewer",
    )
    found.project("other", gus="maintainer", eve="data-scientist")
    made = found.api("eng").post(VISION + "/datasets", json={"name": "people"})
    assert made.status_code == 201, made.text
    assert found.commit("eng", PEOPLE, "a.csv", CSV).status_code == 201


def policy(vision: Team, **fields: Any) -> None:
    answer = vision.api("eng").put(PEOPLE + "/policy", json=fields)
    assert answer.status_code == 200, answer.text


def freeze(api: httpx.Client, path: str = PEOPLE, **fields: Any) -> Any:
    return api.post(path + "/snapshots", json=fields).json()


def chunk(snapshot: Any) -> str:
    return f"{VISION}/chunks/{snapshot['splits'][0]['chunks'][0]['sha256']}"
