"""How the submission of a schedule is kept: its texts as a blob, what people look at in the row."""

from __future__ import annotations

from typing import Any

from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.jobs import SubmitRequest

BLOB = "sha256"


def pack(store: ObjectStore, submission: SubmitRequest) -> dict[str, Any]:
    """For the row: everything but texts and environment, and the blob that has it all."""
    light = submission.model_dump(mode="json", exclude={"modules", "environment"})
    light["source"]["content"] = ""
    return {**light, BLOB: store.put(submission.model_dump_json().encode())}


def unpack(store: ObjectStore, kept: dict[str, Any]) -> SubmitRequest:
    """The submission as it was made."""
    return SubmitRequest.model_validate_json(store.get(kept[BLOB]))
