"""What MLflow says when it is in trouble itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from dlsys_server.metadata.mlflow.client import MlflowClient
from dlsys_server.metadata.mlflow.errors import MlflowError

Question = Callable[[MlflowClient], Coroutine[Any, Any, Any]]


def asked(
    answer: httpx.Response, question: Question = lambda client: client.request("GET", "runs/get")
) -> MlflowError:
    """The error of a call that is answered so."""
    client = MlflowClient(lambda: Path("nowhere"), "s")
    transport = httpx.MockTransport(lambda _request: answer)
    client._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    with pytest.raises(MlflowError) as caught:
        asyncio.run(question(client))
    return caught.value


def test_a_page_about_a_failure_is_no_answer_and_can_be_asked_again() -> None:
    page = httpx.Response(500, html="<!doctype html><h1>Internal Server Error</h1>")
    found = asked(page)
    assert found.status == 503
    assert "<" not in found.detail


def test_what_mlflow_itself_says_is_kept() -> None:
    said = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})
    assert (asked(said).status, asked(said).mlflow_code) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (404, "No such artifact", 404),
        (500, "An error occurred (404) when calling the HeadObject operation: Not Found", 404),
        (500, "Could not connect to the endpoint URL", 503),
        (403, "Permission denied", 403),
    ],
)
def test_a_file_that_is_missing_is_not_a_store_that_is_away(
    status: int, message: str, told: int
) -> None:
    answer = httpx.Response(status, json={"error_code": "INTERNAL_ERROR", "message": message})
    found = asked(answer, lambda client: client.artifact("p", "1/run/artifacts/MLmodel"))
    assert found.status == told
    assert message not in found.detail
