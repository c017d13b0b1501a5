"""No button without its API call, no API call without its CLI verb and SDK method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dlsys_server.access.scopes import OPERATIONS
from jupyter_dlsys.cli.covers import operations_of
from jupyter_dlsys.cli.main import app
from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.connection import Address

ROOT = Path(__file__).parents[3]
TYPESCRIPT = ROOT / "labextension" / "src" / "api" / "operations.ts"
NOT_IN_THE_PANEL = {
    # what programs and jobs call, not people at a page
    "agents.poll",
    "agents.take",
    "agents.read",
    "agents.send",
    "agents.finish",
    "projects.show",
    "system.shutdown",
    "uploads.show",
    "snapshots.chunk",
    "schedules.backfill",
    "snapshots.list",
    "snapshots.show",
    # what another screen gives: a submit freezes, a job shows its run, a model all its versions
    "snapshots.create",
    "runs.list",
    "models.version",
}


def commands(group: Any, path: str = "dlsys") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")


def all_commands() -> list[tuple[str, Any]]:
    return list(commands(typer.main.get_command(app)))


def function(command: Any) -> Any:
    callback = command.callback
    return getattr(callback, "__wrapped__", callback)


def test_every_operation_has_its_sdk_method() -> None:
    client = Client(Address("http://nowhere", "t"))
    missing = [
        operation
        for operation in OPERATIONS
        if not callable(
            getattr(getattr(client, operation.split(".")[0], None), operation.split(".")[1], None)
        )
    ]
    assert missing == []


def test_every_operation_has_its_command_and_no_command_claims_another() -> None:
    covered = {o for _, command in all_commands() for o in operations_of(function(command))}
    assert set(OPERATIONS) - covered == set()
    assert covered - set(OPERATIONS) == set()


def test_every_command_answers_in_json() -> None:
    exempt = {"dlsys demo", "dlsys lab"}
    without = [
        path
        for path, command in all_commands()
        if path not in exempt and not any("--json" in p.opts for p in command.params)
    ]
    assert without == []


def test_every_command_and_option_says_what_it_is_for() -> None:
    silent = [path for path, command in all_commands() if not (command.help or "").strip()]
    silent += [
        f"{path} {p.name}"
        for path, command in all_commands()
        for p in command.params
        if p.param_type_name == "option" and not p.help and p.name != "limit"
    ]
    assert silent == []


def test_the_panel_calls_operations_that_exist_and_leaves_out_only_what_it_may() -> None:
    keys = set(re.findall(r"^\s*'([a-z]+\.[a-z_]+)':", TYPESCRIPT.read_text("utf-8"), re.MULTILINE))
    assert keys - set(OPERATIONS) == set()
    assert set(OPERATIONS) - keys <= NOT_IN_THE_PANEL
