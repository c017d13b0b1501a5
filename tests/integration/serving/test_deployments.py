"""From a logged model to an endpoint, and on to the next version, through the HTTP API."""

from __future__ import annotations

import shutil
import threading
import time

import httpx
import pytest

from tests.support.models import SMALL
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TRAIN = f"""
{SMALL}
for one in json.loads(os.environ["DLSYS_PARAMETERS"])["models"]:
    model, about = small(**one)
    mlflow.pytorch.log_model(model, name="model", registered_model_name="mood", **about)
mlflow.log_metric("accuracy", 0.75)
"""
MODELS = [
    {"labels": ["sad", "happy"], "seed": 0},
    {"labels": ["sad", "happy", "new"], "seed": 1},
    {"labels": ["sad", "happy", "bad"], "seed": 2, "lies": True},
]
"""By version; one job makes all, for torch and its export take eight seconds to import."""


def wait_ready(platform: RunningPlatform, version: int, name: str = "mood"):
    def look():
        found = platform.get(f"/deployments/{name}")
        return found if (found["version"], found["state"]) == (version, "ready") else None

    return platform.wait(look, f"version {version} to answer", 120)


@pytest.fixture(scope="module")
def deployed(platform: RunningPlatform):
    made = platform.submit(TRAIN, "mood.py", parameters={"models": MODELS})
    job = platform.wait_for(made["id"])
    assert job["state"] == "succeeded", job["reason"]
    assert job["models"] == ["mood@v1", "mood@v2", "mood@v3"]
    promoted = platform.api.put(f"{PROJECT}/models/mood/aliases/champion", json={"version": 1})
    assert promoted.json()["aliases"] == {"champion": 1}
    answer = platform.api.post(f"{PROJECT}/deployments", json={"model": "mood@champion"})
    assert answer.status_code == 201, answer.text
    return wait_ready(platform, 1)


@pytest.fixture(scope="module")
def token(platform: RunningPlatform, deployed) -> str:
    answer = platform.api.post(f"{PROJECT}/tokens", json={"name": "shop", "endpoint": "mood"})
    return answer.json()["token"]


def infer(deployment, token, texts, **headers):
    return httpx.post(
        f"{deployment['url']}/infer",
        json={
            "inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]
        },
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=30,
        verify=False,
    )


def test_golden_examples_were_replayed_before_it_answered(deployed):
    assert deployed["golden"]["examples"] == deployed["golden"]["matched"] == 3
    assert deployed["golden"]["max_difference"] < 1e-3
    assert deployed["contract"]["inputs"][0]["name"] == "text"


def test_a_program_with_a_token_gets_labels_version_and_request_id(deployed, token):
    answer = infer(deployed, token, ["good day", "x"], **{"x-request-id": "my-id-1"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["model_version"] == "1" and answer.headers["x-request-id"] == "my-id-1"
    outputs = {o["name"]: o for o in body["outputs"]}
    assert set(outputs["label"]["data"]) <= {"sad", "happy"}
    assert outputs["probabilities"]["shape"] == [2, 2]


def test_without_a_token_or_with_a_foreign_one_nobody_gets_in(platform, deployed, token):
    assert infer(deployed, "wrong", ["x"]).status_code == 401
    made = platform.api.post(f"{PROJECT}/tokens", json={"name": "old", "endpoint": "mood"}).json()
    assert infer(deployed, made["token"], ["x"]).status_code == 200
    platform.api.delete(f"{PROJECT}/tokens/{made['id']}")
    assert infer(deployed, made["token"], ["x"]).status_code == 401
    listed = platform.get("/tokens", endpoint="mood")
    assert [t["name"] for t in listed] == ["shop"] and "token" not in listed[0]


def test_a_token_for_the_project_opens_its_endpoints_and_the_list_says_when(platform, deployed):
    wide = platform.api.post(f"{PROJECT}/tokens", json={"name": "wide"}).json()
    reads = platform.api.post(f"{PROJECT}/tokens", json={"name": "r", "scopes": ["read"]}).json()
    assert infer(deployed, wide["token"], ["x"]).status_code == 200
    assert infer(deployed, reads["token"], ["x"]).status_code == 401

    def used():
        return {t["name"]: t["last_used_at"] for t in platform.get("/tokens")}

    platform.wait(lambda: used()["wide"], "the gateway to say that it was used", 20)
    assert used()["r"] is None
    for made in (wide, reads):
        assert platform.api.delete(f"{PROJECT}/tokens/{made['id']}").status_code == 204
    assert infer(deployed, wide["token"], ["x"]).status_code == 401


def test_people_ask_through_the_platform_and_errors_name_the_field(platform, deployed):
    path = f"{PROJECT}/deployments/mood/predict"
    good = platform.api.post(path, json={"inputs": {"text": ["hello", "bye"]}})
    assert good.status_code == 200, good.text
    assert len(good.json()["outputs"]["label"]) == 2 and good.json()["model_version"] == "1"
    for inputs, word in [({"txt": ["a"]}, "text"), ({"text": [1]}, "text"), ({}, "text")]:
        bad = platform.api.post(path, json={"inputs": inputs})
        assert bad.status_code == 400 and word in bad.text, bad.text
    gone = platform.api.post(f"{PROJECT}/deployments/none/predict", json={"inputs": {}})
    assert gone.status_code == 404


def test_lineage_reaches_from_endpoint_to_script(platform, deployed):
    graph = platform.get("/lineage", ref="deployment/mood", direction="up")
    assert {n["type"] for n in graph["nodes"]} >= {"deployment", "model_version", "run", "notebook"}


def test_a_new_champion_takes_over_without_a_failed_request(platform, deployed, token):
    answers, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answer = infer(deployed, token, ["good day"])
            answers.append((answer.status_code, answer.headers.get("x-dlsys-version")))
            time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    platform.api.put(f"{PROJECT}/models/mood/aliases/champion", json={"version": 2})
    moved = wait_ready(platform, 2)
    time.sleep(0.5)
    stop.set()
    asking.join()
    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    assert versions[0] == "1" and versions[-1] == "2" and versions == sorted(versions)
    assert moved["previous_version"] == 1
    body = infer(deployed, token, ["good day"]).json()
    assert {o["name"]: o["shape"] for o in body["outputs"]}["probabilities"] == [1, 3]


def test_a_model_that_lies_about_its_golden_examples_does_not_get_traffic(
    platform, deployed, token
):
    answer = platform.api.post(f"{PROJECT}/deployments", json={"model": "mood@v3"})
    assert answer.status_code == 201

    def look():
        found = platform.get("/deployments/mood")
        return found if found["state"] == "degraded" else None

    refused = platform.wait(look, "the refusal", 90)
    assert "1 of 3 golden examples" in refused["message"] and refused["version"] == 2
    assert infer(deployed, token, ["x"]).headers["x-dlsys-version"] == "2"


def test_rollback_goes_to_the_version_before(platform, deployed):
    answer = platform.api.post(f"{PROJECT}/deployments/mood/rollback")
    assert answer.status_code == 200, answer.text
    back = wait_ready(platform, 1)
    assert back["model"] == "mood@v1"


def test_the_same_version_can_be_deployed_in_another_way(platform, deployed, token):
    answer = platform.api.post(
        f"{PROJECT}/deployments", json={"model": "mood@v1", "trust": "code", "max_batch": 4}
    )
    assert answer.status_code == 201 and answer.json()["state"] == "updating"
    assert wait_ready(platform, 1)["trust"] == "code"
    assert infer(deployed, token, ["x"]).status_code == 200
    platform.api.post(f"{PROJECT}/deployments", json={"model": "mood@v1"})
    assert wait_ready(platform, 1)["trust"] == "safe"


def test_the_model_knows_where_it_is_deployed(platform, deployed):
    assert platform.get("/models/mood")["deployments"] == ["mood"]
    version = platform.get("/models/mood/versions/champion")
    assert version["contract"]["inputs"][0]["name"] == "text"
    assert version["metrics"] == {"accuracy": 0.75}


def test_model_files_that_were_lost_are_fetched_again(platform, deployed, token):
    shutil.rmtree(platform.home / "models")
    platform.stop()
    platform.start()
    wait_ready(platform, 1)

    def answers():
        return infer(deployed, token, ["x"]).status_code == 200

    platform.wait(answers, "an answer", 90)


@pytest.mark.kill
def test_predictions_outlive_the_platform_and_a_restart_adopts_the_gateway(
    platform, deployed, token
):
    before = platform.get("/deployments/mood")
    platform.kill()
    assert infer(deployed, token, ["still there?"]).status_code == 200
    platform.start()
    after = platform.wait(
        lambda: d if (d := platform.get("/deployments/mood"))["state"] == "ready" else None,
        "the endpoint",
    )
    assert after["url"] == before["url"]
    assert infer(deployed, token, ["and now?"]).status_code == 200
    people = platform.api.post(
        f"{PROJECT}/deployments/mood/predict", json={"inputs": {"text": ["x"]}}
    )
    assert people.status_code == 200, people.text


def test_one_endpoint_in_trouble_does_not_hold_up_the_others(platform, deployed):
    platform.api.post(f"{PROJECT}/deployments", json={"model": "mood@v2", "name": "doomed"})
    wait_ready(platform, 2, "doomed")
    gone = httpx.request(
        "DELETE",
        f"{platform.url}/mlflow/api/2.0/mlflow/model-versions/delete",
        json={"name": "mood", "version": "2"},
        headers={"Authorization": f"Bearer {platform.secret}"},
    )
    assert gone.status_code == 200, gone.text
    shutil.rmtree(platform.home / "models" / "default" / "mood" / "2")
    platform.api.post(f"{PROJECT}/deployments", json={"model": "mood@v1", "name": "zealous"})
    wait_ready(platform, 1, "zealous")
    health = platform.wait(
        lambda: h if (h := platform.api.get("/health").json())["state"] == "degraded" else None,
        "health to tell",
    )
    [part] = [p for p in health["parts"] if p["name"] == "rollouts"]
    assert "endpoint doomed" in part["message"] and "version" in part["message"]
    for name in ("doomed", "zealous"):
        assert platform.api.delete(f"{PROJECT}/deployments/{name}").status_code == 204
    platform.wait(lambda: platform.part("rollouts") == "ok", "health to be good again")


def test_bad_requests_to_deploy_are_refused(platform, deployed):
    for model, status in [("nothing", 404), ("mood@v99", 404), ("mood@nobody", 404)]:
        answer = platform.api.post(f"{PROJECT}/deployments", json={"model": model})
        assert answer.status_code == status and answer.json()["hint"], answer.text


def test_undeploy_ends_it_and_its_tokens(platform, deployed, token):
    assert platform.api.delete(f"{PROJECT}/deployments/mood").status_code == 204
    assert platform.get("/deployments")["items"] == []
    assert platform.api.get(f"{PROJECT}/deployments/mood").status_code == 404
    assert infer(deployed, token, ["x"]).status_code in (401, 404)
