"""A file that is read at each firing, with the local modules that it imports at that time."""

from __future__ import annotations

import os
from pathlib import Path

from dlsys_server.access.principals import Principal
from dlsys_server.core.errors import Forbidden, InvalidInput
from jupyter_dlsys.contract import bundle
from jupyter_dlsys.contract.jobs import SubmitRequest


def place(caller: Principal, account: str, path: str) -> str:
    """Where the file of a new schedule really is.

    The platform reads it with its own rights, so only the person it runs as may name one.

    Raises:
        Forbidden: the caller is somebody else.
        InvalidInput: the path is not absolute.
    """
    if not account:
        raise Forbidden(
            "Behind a hub the platform cannot read files of its users.",
            code="follow-not-allowed",
            hint="Leave `follow` out: the notebook is then kept as it is now.",
        )
    if caller.kind != "user" or caller.name != account:
        raise Forbidden(
            f"Only {account}, as whom the platform runs, can let it follow a file of this machine.",
            code="follow-not-allowed",
            hint="Leave `follow` out: the notebook is then kept as it is now.",
        )
    if not path.startswith("/") or "\0" in path:
        raise InvalidInput(
            f"'{path}' is not an absolute path." if path else "The path of the file is missing.",
            hint="Name the file to follow by its whole path, e.g. /data/report.ipynb.",
        )
    return os.path.realpath(path)


def with_file(submission: SubmitRequest, path: str) -> SubmitRequest:
    """The submission with the file and its modules as they are now.

    Raises:
        InvalidInput: the file is gone, leads elsewhere, or cannot be a job.
    """
    file = Path(path)
    if os.path.realpath(path) != path:
        raise InvalidInput(
            f"{path} leads to another place than when the schedule was made.",
            hint="If that is meant, make the schedule again.",
        )
    try:
        source = bundle.read_source(file)
        modules = bundle.local_modules(file, source.content)
    except bundle.BundleError as error:
        raise InvalidInput(error.detail, hint=error.hint) from None
    return submission.model_copy(update={"source": source, "modules": modules})
