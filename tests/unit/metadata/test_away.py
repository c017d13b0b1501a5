"""What MLflow says when it is in trouble itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from dlsys_server.metadata.mlflow.client import MlflowClient
from dlsys_server.metadata.mlflow.errors import MlflowError


def asked(answer: httpx.Response) -> MlflowError:
    """The error of a call that is answered so."""
    client = MlflowClient(lambda: Path("nowhere"), "s")
    transport = httpx.MockTransport(lambda _request: answer)
    client._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    with pytest.raises(MlflowError) as caught:
        asyncio.run(client.request("GET", "runs/get"))
    return caught.value


def test_a_page_about_a_failure_is_no_answer_and_can_be_asked_again() -> None:
    page = httpx.Response(500, html="<!doctype html><h1>Internal Server Error</h1>")
    found = asked(page)
    assert found.status == 503
    assert "<" not in found.detail


def test_what_mlflow_itself_says_is_kept() -> None:
    said = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})
    assert (asked(said).status, asked(said).mlflow_code) == (404, "RESOURCE_DOES_NOT_EXIST")
