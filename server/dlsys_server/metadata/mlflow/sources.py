"""Where the files of a registered model may come from: runs and models of the same project."""

from __future__ import annotations

import re
from typing import Any

from .calls import fields, forbidden

_OWN = re.compile(
    r"models:/(?:m-[0-9a-f]{32}|[^/@?#%]+(?:/\d+|@[\w.-]+))"
    r"|runs:/[0-9a-f]{32}(?:/[^?#%]*)?"
    r"|mlflow-artifacts:/workspaces/(?P<project>[^/]+)/[^?#%]+"
)


def refuse_foreign_source(body: dict[str, Any], project: str) -> None:
    """MLflow itself would read any address that the platform's keys open, e.g. of another project.

    Raises:
        MlflowError: 403.
    """
    for source in fields(body, "source"):
        found = _OWN.fullmatch(source) if isinstance(source, str) else None
        climbs = found is not None and ".." in str(source).split("/")
        if found is None or climbs or (found["project"] or project) != project:
            raise forbidden(
                "A model version is made of a run or a model of this project.",
                "Give models:/MODEL_ID or runs:/RUN_ID/PATH as its source.",
            )
