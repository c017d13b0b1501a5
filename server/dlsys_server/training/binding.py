"""The data of a submission: references to datasets, made into snapshots."""

from __future__ import annotations

from typing import Any

from dlsys_server.access.principals import Principal
from dlsys_server.core.errors import InvalidInput
from dlsys_server.datasets.snapshots import SnapshotService
from jupyter_dlsys.contract.datasets import SnapshotRequest
from jupyter_dlsys.contract.jobs import InputRequest
from jupyter_dlsys.contract.references import parse_reference


class Binder:
    """Binds inputs, or says what would be wrong with that."""

    def __init__(self, snapshots: SnapshotService) -> None:
        self.snapshots = snapshots

    def bind(
        self, caller: Principal, project: str, inputs: dict[str, InputRequest]
    ) -> dict[str, Any]:
        """For each input {dataset, version, snapshot}; the snapshots are made.

        Raises:
            InvalidInput, NotFound, Refused: one of them cannot be read.
        """
        bound: dict[str, Any] = {}
        for name, wanted in inputs.items():
            dataset, request = _request(name, wanted)
            snapshot = self.snapshots.create(caller, project, dataset, request)
            bound[name] = {
                "dataset": snapshot.dataset,
                "version": snapshot.version,
                "snapshot": snapshot.hash,
            }
        return bound

    def examine(self, project: str, name: str, wanted: InputRequest) -> None:
        """Raise what `bind` would raise, as far as that is known without reading data."""
        dataset, request = _request(name, wanted)
        self.snapshots.examine(project, dataset, request)


def _request(name: str, wanted: InputRequest) -> tuple[str, SnapshotRequest]:
    try:
        dataset, ref = parse_reference(wanted.dataset)
    except ValueError as error:
        raise InvalidInput(
            f"Input '{name}': {error}", hint="`dlsys datasets list` shows the datasets."
        ) from None
    return dataset, SnapshotRequest(
        ref=ref,
        tags=wanted.tags,
        where=wanted.where,
        columns=wanted.columns,
        split=wanted.split,
        seed=wanted.seed,
    )
