"""The door's own knowledge of the platform, without a Jupyter server around it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dlsys.client.errors import NotConnected, StartFailed
from jupyter_dlsys.server_extension.backend import Backend, Starting
from jupyter_dlsys.server_extension.handlers import status

LOG = logging.getLogger(__name__)


def backend(home: Path, url: str = "", token: str = "") -> Backend:
    return Backend(url=url, token=token, home=home, start_timeout=60, log=LOG)


async def test_a_platform_that_cannot_start_is_told_and_not_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLSYS_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite")
    door = backend(tmp_path / "home")
    assert status(door)["state"] == "stopped"
    task = door.start()
    assert status(door)["state"] == "starting"
    with pytest.raises(StartFailed, match="last words"):
        await task
    log = tmp_path / "home" / "logs" / "platform.log"
    size = log.stat().st_size
    for _ in range(5):
        with pytest.raises(StartFailed):
            await door.upstream()
    assert log.stat().st_size == size
    told = status(door)
    assert told["state"] == "failed"
    assert told["problem"]["code"] == "start-failed"
    json.dumps(told)
    await door.close()


async def test_while_it_starts_a_request_is_not_kept_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_dlsys.server_extension import backend as module

    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setenv("DLSYS_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite")
    door = backend(tmp_path / "home")
    with pytest.raises(Starting) as caught:
        await door.upstream()
    assert caught.value.code == "platform-starting"
    with pytest.raises(StartFailed):
        await door.start()
    await door.close()


async def test_a_shared_platform_needs_a_token_and_shows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    with pytest.raises(NotConnected, match="no token"):
        await backend(tmp_path, "http://127.0.0.1:1").upstream()
    door = backend(tmp_path, "http://127.0.0.1:1/", "a-secret")
    assert (await door.upstream()).url == "http://127.0.0.1:1"
    assert "a-secret" not in json.dumps(status(door))
    assert status(door)["home"] is None
    await door.close()


def test_the_extension_reads_no_environment_when_it_is_imported(tmp_path: Path) -> None:
    code = (
        "import os; import jupyter_dlsys.server_extension.app as a;"
        f"os.environ['DLSYS_URL'] = 'http://later'; os.environ['DLSYS_HOME'] = {str(tmp_path)!r};"
        "d = a.DLSysApp(); print(d.url, d.home)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["http://later", str(tmp_path)]
