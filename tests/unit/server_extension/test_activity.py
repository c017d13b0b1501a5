"""A server that works is in use: what a hub's culler gets to see."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from jupyter_dlsys.server_extension.activity import WORK, Activity


async def test_a_silent_cell_keeps_its_server(tmp_path: Any) -> None:
    """A real kernel that sleeps without a word."""
    kernels = AsyncMappingKernelManager(root_dir=str(tmp_path))
    settings: dict[str, Any] = {}
    activity = Activity(settings, kernels)
    assert not activity.note()
    key = await kernels.start_kernel()
    client = kernels.get_kernel(key).client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        await _until(lambda: not activity.note())
        settings.clear()
        settings[WORK] = []
        client.execute("import time; time.sleep(600)")
        await _until(activity.note)
        first = settings["api_last_activity"]
        assert datetime.now(timezone.utc) - first < timedelta(seconds=20)
        await asyncio.sleep(0.05)
        assert activity.note()
        assert settings["api_last_activity"] > first
    finally:
        client.stop_channels()
        await kernels.shutdown_kernel(key, now=True)
    assert not activity.note()


async def test_what_other_parts_work_on_counts(tmp_path: Any) -> None:
    settings: dict[str, Any] = {}
    activity = Activity(settings, AsyncMappingKernelManager(root_dir=str(tmp_path)), interval=0.01)
    jobs = ["one"]
    settings[WORK].append(lambda: bool(jobs))
    activity.begin()
    await _until(lambda: "api_last_activity" in settings)
    jobs.clear()
    await asyncio.sleep(0.05)
    last = settings["api_last_activity"]
    await asyncio.sleep(0.05)
    assert settings["api_last_activity"] == last
    await activity.end()


async def _until(true: Any, seconds: float = 20) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true")
