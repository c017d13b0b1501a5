"""Workers die, hang and are overrun; the requests of others are answered."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from .harness import AUTH, Gateway, Load, deployment, version

pytestmark = [pytest.mark.integration, pytest.mark.kill]
PATH = "/deployments/moody/invocations"


@pytest.fixture
def moody(gateway: Gateway, folders: dict[str, Path]) -> Gateway:
    gateway.apply(moody=_deployment(folders))
    return gateway


def _deployment(folders: dict[str, Path], **more: Any) -> dict[str, Any]:
    return deployment("1", {"1": version(folders["python"], trust="code", **more)})


async def _ask(gateway: Gateway, *values: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(headers={**AUTH, **headers}, verify=False, timeout=60) as client:
        return await client.post(gateway.url + PATH, json={"instances": list(values)})


async def test_deaths_under_load(moody: Gateway) -> None:
    """A killed worker costs nobody an answer; a request that kills it costs only itself."""
    async with Load(moody.url, PATH, {"instances": ["fine"]}) as load:
        await load.reach(30)
        os.kill(moody.status("moody")["pid"], signal.SIGKILL)
        await load.reach(30)
        poison = await _ask(moody, "die")
        await load.reach(30)
    assert load.failures == []
    assert {body["predictions"][0] for body in load.bodies} == {"FINE"}
    assert poison.status_code == 500
    assert "died twice" in poison.json()["detail"]
    status = moody.status("moody")
    assert (status["state"], status["restarts"]) == ("ready", 3)
    assert (await _ask(moody, "die")).status_code == 500
    assert moody.status("moody")["restarts"] == 3, "a known poison is not given to the model again"


async def test_errors_deadlines_and_overload(moody: Gateway, folders: dict[str, Path]) -> None:
    good, bad, other = await asyncio.gather(
        _ask(moody, "a"), _ask(moody, "raise"), _ask(moody, "b")
    )
    assert (good.status_code, bad.status_code, other.status_code) == (200, 500, 200)
    assert "cannot stand this" in bad.json()["detail"]

    seen = (await _ask(moody, "environment")).json()["predictions"][0]
    assert "TOKEN" not in seen
    assert "DLSYS" not in seen
    assert "PATH" in seen

    sleeper = asyncio.create_task(_ask(moody, "sleep 1.5"))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    late = await _ask(moody, "x", **{"x-request-timeout-ms": "200"})
    assert late.status_code == 504
    assert time.monotonic() - began < 1
    assert (await sleeper).status_code == 200

    # Work whose client has gone is not done: twenty sleepers leave, the next caller does not wait.
    busy = asyncio.create_task(_ask(moody, "sleep 2.5"))  # or they would be one batch, and begun
    await asyncio.sleep(0.3)
    leaving = [asyncio.create_task(_ask(moody, "sleep 0.5")) for _ in range(20)]
    await asyncio.sleep(0.5)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert (await busy).status_code == 200
    began = time.monotonic()
    assert (await _ask(moody, "next")).status_code == 200
    assert time.monotonic() - began < 3

    moody.apply(moody=_deployment(folders, slo_ms=100, max_batch=1))
    for _ in range(8):  # slower than the limit, but an idle worker takes it, and learns
        assert (await _ask(moody, "sleep 0.3")).status_code == 200
    answers = await asyncio.gather(*(_ask(moody, "sleep 0.3") for _ in range(12)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.status_code for answer in answers} <= {200, 503}


async def test_a_hanging_model_is_ended(gateway: Gateway, folders: dict[str, Path]) -> None:
    limits = {"timeout_s": 0.5}
    gateway.apply(moody=_deployment(folders, limits=limits))
    pid = gateway.status("moody")["pid"]
    hanging = await _ask(gateway, "sleep 60")
    assert hanging.status_code == 500
    assert gateway.status("moody")["pid"] != pid
