"""The data of a submission: references to datasets, made into snapshots."""

from __future__ import annotations

from typing import Any

from dlsys_server.access.principals import Principal
from dlsys_server.core.errors import InvalidInput
from dlsys_server.datasets.snapshots import SnapshotService
from jupyter_dlsys.contract.datasets import SnapshotRequest
from jupyter_dlsys.contract.jobs import InputRequest
from jupyter_dlsys.contract.references import parse_uri


class Binder:
    """Binds inputs, or says what would be wrong with that."""

    def __init__(self, snapshots: SnapshotService) -> None:
        self.snapshots = snapshots

    def bind(
        self, caller: Principal, project: str, inputs: dict[str, InputRequest]
    ) -> dict[str, Any]:
        """For each input {dataset, version, snapshot}; the snapshots are made.

        One of another project names that as `project`.

        Raises:
            InvalidInput, NotFound, Refused: one of them cannot be read.
        """
        bound: dict[str, Any] = {}
        for name, wanted in inputs.items():
            place, dataset, request = _request(project, name, wanted)
            snapshot = self.snapshots.create(caller, place, dataset, request)
            bound[name] = {
                "dataset": snapshot.dataset,
                "version": snapshot.version,
                "snapshot": snapshot.hash,
                **({"project": place} if place != project else {}),
            }
        return bound

    def examine(self, caller: Principal, project: str, name: str, wanted: InputRequest) -> None:
        """Raise what `bind` would raise, as far as that is known without reading data."""
        place, dataset, request = _request(project, name, wanted)
        self.snapshots.examine(caller, place, dataset, request)


def _request(project: str, name: str, wanted: InputRequest) -> tuple[str, str, SnapshotRequest]:
    try:
        place, dataset, ref = parse_uri(wanted.dataset, project)
    except ValueError as error:
        raise InvalidInput(
            f"Input '{name}': {error}", hint="`dlsys datasets list` shows the datasets."
        ) from None
    return (
        place,
        dataset,
        SnapshotRequest(
            ref=ref,
            tags=wanted.tags,
            where=wanted.where,
            columns=wanted.columns,
            split=wanted.split,
            seed=wanted.seed,
        ),
    )
