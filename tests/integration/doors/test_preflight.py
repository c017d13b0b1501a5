"""The look before the start, from the command line and the SDK."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.preflight import PreflightFailed, PreflightWarning
from tests.support.doors import answer, run_cli
from tests.support.platform import notebook

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notebooks that would fail, that may fail, and that would not."""
    found = tmp_path_factory.mktemp("looks")
    sources = {
        "wrong": notebook("print(total)", "total = 3", parameters="lr = 1"),
        "odd": notebook("print(lr)\ndef f():\n    return nowhere", parameters="lr = 1"),
        "good": notebook("print(lr)", parameters="lr = 1"),
    }
    for name, made in sources.items():
        (found / f"{name}.ipynb").write_text(json.dumps(made))
    (found / "not-utf8.ipynb").write_bytes(b'{"cells": "\xff"}')
    (found / "numbers.ipynb").write_text(
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}'
    )
    (found / "wrong.py").write_text("x = 1\ninput()\n")
    return found


def test_the_command_shows_findings_and_says_with_its_status(
    environment: dict[str, str], folder: Path
) -> None:
    done = run_cli(environment, "jobs", "preflight", str(folder / "wrong.ipynb"))
    assert done.returncode == 4
    assert "error: cell 2, line 1: 'total' is used here but defined later" in done.stdout
    assert "1 error found in 0." in done.stdout
    report = answer(run_cli(environment, "jobs", "preflight", str(folder / "good.ipynb"), "--json"))
    assert report["ok"] and report["findings"] == []  # type: ignore[index]
    script = run_cli(environment, "jobs", "preflight", str(folder / "wrong.py"))
    assert "error: line 2: input()" in script.stdout


def test_submit_looks_first(environment: dict[str, str], folder: Path, client: Client) -> None:
    path = str(folder / "wrong.ipynb")
    before = len(client.jobs.list())
    stopped = run_cli(environment, "submit", path)
    assert stopped.returncode == 4 and "'total'" in stopped.stderr
    machine = run_cli(environment, "submit", path, "--json")
    error = json.loads(machine.stderr)["error"]
    assert error["code"] == "preflight-failed" and error["report"]["findings"]
    assert len(client.jobs.list()) == before
    warned = run_cli(environment, "submit", str(folder / "odd.ipynb"))
    assert warned.returncode == 0 and "warning: cell 2, line 3: 'nowhere'" in warned.stderr
    forced = run_cli(environment, "submit", path, "--no-preflight")
    assert forced.returncode == 0, forced.stderr
    assert len(client.jobs.list()) == before + 2


def test_the_sdk_looks_when_asked(client: Client, folder: Path) -> None:
    report = client.jobs.preflight(folder / "wrong.ipynb", cpus=999)
    assert {f.code for f in report.findings} == {"undefined-name", "impossible-resources"}
    with pytest.raises(PreflightFailed, match="'total'") as caught:
        client.jobs.submit(folder / "wrong.ipynb", preflight=True)
    assert not caught.value.report.ok
    with pytest.warns(PreflightWarning, match="nowhere"):
        client.jobs.submit(folder / "odd.ipynb", preflight=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.jobs.submit(folder / "good.ipynb", preflight=True)


@pytest.mark.parametrize("name", ["not-utf8.ipynb", "numbers.ipynb", "gone.ipynb"])
def test_what_cannot_be_read_is_said_before_anything_is_sent(
    client: Client, folder: Path, environment: dict[str, str], name: str
) -> None:
    for verb in (client.jobs.submit, client.jobs.preflight):
        with pytest.raises(UsageError) as caught:
            verb(folder / name)
        assert caught.value.hint
    assert run_cli(environment, "submit", str(folder / name)).returncode == 2
