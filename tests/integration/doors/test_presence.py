"""A Jupyter server that has joined the platform keeps it alive, and lets it go."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from jupyter_dlsys.client import embedded
from jupyter_dlsys.server_extension.backend import Backend
from jupyter_dlsys.server_extension.presence import Presence

pytestmark = pytest.mark.integration
LOG = logging.getLogger(__name__)
IDLE = 3


async def test_presence_keeps_the_platform_until_it_ends(home: Path) -> None:
    settings = {"DLSYS_IDLE_SECONDS": str(IDLE)}
    await asyncio.to_thread(embedded.join, home, settings=settings)
    backend = Backend(url="", token="", home=home, start_timeout=60, log=LOG)
    await backend.upstream()
    presence = Presence(backend, LOG)
    presence.begin()
    await asyncio.sleep(3 * IDLE)
    assert embedded.alive(home)
    await presence.end()
    await backend.close()
    assert await asyncio.to_thread(embedded.wait_until_gone, home, 30)


async def test_presence_does_not_start_a_platform_that_was_stopped(home: Path) -> None:
    await asyncio.to_thread(embedded.join, home)
    backend = Backend(url="", token="", home=home, start_timeout=60, log=LOG)
    await backend.upstream()
    presence = Presence(backend, LOG)
    presence.begin()
    from jupyter_dlsys.client.client import connect

    def stop() -> bool:
        with connect(home=home) as client:
            client.system.shutdown()
        return embedded.wait_until_gone(home, 30)

    assert await asyncio.to_thread(stop)
    await asyncio.sleep(3)
    assert not embedded.alive(home)
    await presence.end()
    await backend.close()
