"""What a submission must fulfil, and what it is told when it does not."""

from __future__ import annotations

import pytest

from dlsys_server.core.errors import Refused
from dlsys_server.training.admission import check, check_upstreams
from dlsys_server.training.queueing import Candidate, Limits
from dlsys_server.training.slots import Capacity, Slots
from jupyter_dlsys.contract.jobs import SubmitRequest

GB = 2**30
CAPACITY = Capacity(2, 8 * GB, ("0",))


def a_body(**values):
    return SubmitRequest.model_validate({"source": {"path": "a.py", "content": "1"}, **values})


def refusal(body, limits=None, free=None):
    with pytest.raises(Refused) as caught:
        check(body, CAPACITY, limits, free)
    assert caught.value.hint and caught.value.errors
    return caught.value


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"cpus": 8}, "asks for 8 CPUs; this machine has 2: --cpus 2 would fit"),
        ({"gpus": 4}, "asks for 4 GPUs; this machine has 1: --gpus 1 would fit"),
        (
            {"memory_bytes": 24 * GB},
            "asks for 24 GB of memory; this machine has 8 GB: --memory 8192M would fit",
        ),
        ({"gpus": 0, "gpu_share": 0.5}, "--gpu-share shares one GPU, so it goes with --gpus 1"),
    ],
)
def test_impossible_resources_say_what_would_fit(resources, words):
    found = refusal(a_body(resources=resources))
    assert words in found.detail and found.code == "impossible-resources"


def test_and_whether_that_could_start_now():
    body = a_body(resources={"cpus": 8})
    free = Slots.all(CAPACITY)
    assert "--cpus 2 would start now" in refusal(body, free=lambda: free).detail
    free.take(Candidate("", "", "", "", cpus=1))
    assert "--cpus 2 would fit" in refusal(body, free=lambda: free).detail


def test_more_than_a_user_may_hold_is_impossible_too():
    found = refusal(a_body(resources={"cpus": 2}), Limits(user_cpus=1))
    assert "asks for 2 CPUs; one user may hold 1 at once: --cpus 1 would fit" in found.detail
    check(a_body(resources={"gpus": 1, "gpu_share": 0.5}), CAPACITY, Limits(user_gpus=1))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("1A", "x", "is no name of a variable"),
        ("A B", "x", "is no name of a variable"),
        ("Ä", "x", "is no name of a variable"),
        ("", "x", "is no name of a variable"),
        ("A", "x" * 40_000, "larger than 32 kB"),
        ("DLSYS_TOKEN", "x", "not yours to set"),
        ("MLFLOW_TRACKING_URI", "x", "its own MLflow run"),
        ("MLFLOW_RUN_ID", "x", "its own MLflow run"),
        ("CUDA_VISIBLE_DEVICES", "0", "the queue gives GPUs"),
        ("LD_PRELOAD", "x.so", "the program that starts the job"),
    ],
)
def test_variables_that_cannot_be_are_refused_with_the_reason(name, value, words):
    found = refusal(a_body(variables={name: value}))
    assert words in found.detail and found.code == "bad-variable"


def test_other_variables_are_the_jobs_own_business():
    check(a_body(variables={"OMP_NUM_THREADS": "2", "MLFLOW_ENABLE_X": "1", "_a": ""}), CAPACITY)


def test_an_upstream_that_is_not_there_is_named():
    check_upstreams(["A", "B"], {"A", "B"}, "default")
    with pytest.raises(Refused, match="there is no job 'B' in default") as caught:
        check_upstreams(["A", "B"], {"A"}, "default")
    assert caught.value.code == "no-such-upstream"
