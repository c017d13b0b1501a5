"""Training data by name: the same line works in a job and by hand in a notebook."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.client import Client, connect
from jupyter_dlsys.client.errors import Forbidden, UsageError
from jupyter_dlsys.client.readers import SnapshotReader


@dataclass
class _Session:
    """What a person at a notebook has chosen so far."""

    client: Client | None = None
    bindings: dict[str, dict[str, Any]] = field(default_factory=dict)
    mlflow: dict[str, str] = field(default_factory=dict)


_session = _Session()


def default_client(client: Client | None = None) -> Client:
    """The client that notebook functions use: the given one, else one for all of them."""
    if client is not None:
        return client
    if _session.client is None:
        _session.client = connect()
    return _session.client


def project(name: str = "") -> str:
    """Work in another project from here on: datasets, jobs, and plain `mlflow` where it is ours.

    A job stays in its project.

    Args:
        name: of the project; without it nothing changes.

    Returns:
        The project that is worked in.

    Raises:
        NotFound: there is none of this name that you can see; nothing is changed.
    """
    known = default_client()
    if not name or name == known.project or "DLSYS_JOB_ID" in os.environ:
        return known.project
    known.projects.show(name)
    os.environ["DLSYS_PROJECT"] = name
    _session.client = Client(known.connection.where, name)
    _session.bindings.clear()
    if _session.mlflow:
        mlflow_env()
    return name


def dataset(
    ref: str,
    *,
    split: Mapping[str, float] | None = None,
    where: str | None = None,
    columns: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    seed: int = 0,
    client: Client | None = None,
) -> SnapshotReader:
    """Rows of a dataset, frozen: `dataset("tweets@v1").to_pandas()`.

    Args:
        ref: name, name@v3, name@tag or name@sha256:…; project/name of another project.
        split: fractions that add up to 1, e.g. {"train": 0.8, "test": 0.2}.
        where: only rows for which this holds.
        columns: only these.
        tags: only rows of commits that carry all of these.
        seed: of the split.
        client: another than the default one.
    """
    chosen = default_client(client)
    try:
        found = chosen.snapshots.create(
            ref, tags=tags, where=where, columns=columns, split=split, seed=seed
        )
    except Forbidden as error:
        if "DLSYS_JOB_ID" not in os.environ:
            raise
        raise UsageError(
            f"A job reads only the data that it was submitted with, not '{ref}'.",
            hint=f"Submit it with `-d data={ref}` and read it with dlsys.input('data').",
        ) from error
    return SnapshotReader(found, chosen.snapshots.fetcher(found))


def bind(name: str, ref: str, **how: Any) -> None:
    """Say which dataset `input(name)` gives by hand; a job gets its own at submission.

    `how` takes the arguments of `dataset()`: split, where, columns, tags, seed.
    """
    _session.bindings[name] = {"ref": ref, **how}


def bindings() -> dict[str, str]:
    """What is bound by hand: input name to reference."""
    return {name: str(how["ref"]) for name, how in _session.bindings.items()}


def variable(name: str) -> str:
    """The environment variable that tells where the input lies: 'my-data' → DLSYS_INPUT_MY_DATA."""
    return "DLSYS_INPUT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def input(name: str = "data", *, client: Client | None = None) -> SnapshotReader:
    """The data bound to a name.

    In a job: what it was submitted with. By hand: what `bind()` or `%dlsys bind` said, else the
    newest version of the dataset of that name, else of the only dataset there is.

    Raises:
        UsageError: nothing is bound and there is no one choice; it says what to do.
    """
    if folder := os.environ.get(variable(name)):
        return SnapshotReader.from_folder(Path(folder))
    if "DLSYS_JOB_ID" in os.environ:
        raise UsageError(
            f"This job was submitted without an input '{name}'.",
            hint=f"Submit it with `-d {name}=DATASET`.",
        )
    if name in _session.bindings:
        return dataset(**_session.bindings[name], client=client)
    ref = _choose(name, default_client(client))
    _say(f"dlsys.input('{name}'): using {ref}. Another one: dlsys.bind('{name}', 'NAME@v1')")
    return dataset(ref, client=client)


def _choose(name: str, client: Client) -> str:
    found = [item for item in client.datasets.list(limit=100) if item.version]
    chosen = next((item for item in found if item.name == name), None)
    if chosen is None and len(found) == 1:
        chosen = found[0]
    if chosen is not None:
        return f"{chosen.name}@v{chosen.version}"
    if not found:
        raise UsageError(
            f"There is no dataset yet that '{name}' could be.",
            hint="Commit one: `dlsys datasets commit NAME FILE -m 'first version'`.",
        )
    names, first = ", ".join(item.name for item in found[:8]), found[0].name
    raise UsageError(
        f"It is not clear which dataset '{name}' is: there are {names}.",
        hint=f"Say so: dlsys.bind('{name}', '{first}') or %dlsys bind {name}={first}",
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def mlflow_env(client: Client | None = None) -> dict[str, str]:
    """Point plain `mlflow` at the platform, by its environment variables.

    In a job they are set already and stay. Call it again when the platform was restarted.

    Returns:
        The variables that were set, without the token.
    """
    if "DLSYS_JOB_ID" not in os.environ:
        chosen = default_client(client)
        target = chosen.connection.target
        _session.mlflow = {
            "MLFLOW_TRACKING_URI": f"{target.url}/mlflow",
            "MLFLOW_TRACKING_TOKEN": target.token,
            "MLFLOW_WORKSPACE": chosen.project,
        }
        os.environ.update(_session.mlflow)
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_WORKSPACE")
    return {name: os.environ[name] for name in names if name in os.environ}


def refresh_mlflow_env() -> None:
    """After a restart of the embedded platform: its new token, when the old one was set by us."""
    client, before = _session.client, _session.mlflow
    if client is None or not before or client.connection.where.home is None:
        return
    if all(os.environ.get(name) == value for name, value in before.items()):
        client.connection.follow_restart()
        mlflow_env(client)
