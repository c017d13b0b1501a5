"""MLflow's `/invocations` and KServe V1 `:predict`: rows in, `{"predictions": […]}` out."""

from __future__ import annotations

from typing import Any

import orjson

from dlsys_server.serving.gateway.deployment import Deployment
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import Rows, Spec, from_columns, from_records, kind_of
from dlsys_server.serving.gateway.predictions import predict
from dlsys_server.serving.gateway.requests import Answer, Request

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


async def invocations(request: Request, deployment: Deployment) -> tuple[Answer, str]:
    """MLflow scoring protocol, the four JSON forms."""
    asked = await request.json()
    return await _predictions(request, deployment, lambda specs: _rows(specs, asked))


async def kserve(request: Request, deployment: Deployment) -> tuple[Answer, str]:
    """KServe V1: `{"instances": […]}`."""
    asked = await request.json()
    if "instances" not in asked:
        raise Refusal(400, "instances is missing", field="instances")
    return await _predictions(
        request, deployment, lambda specs: from_records(specs, asked["instances"], "instances")
    )


async def _predictions(request: Request, deployment: Deployment, make: Any) -> tuple[Answer, str]:
    replica = deployment.choose(None)
    rows: Rows = make(replica.contract["inputs"])
    fragments = await predict(request, replica, rows, "rows")
    tail = orjson.dumps({"model_version": replica.version, "request_id": request.id})[1:]
    body = b'{"predictions":[' + b",".join(part[0] for part in fragments) + b"]," + tail
    return Answer(body), replica.version


def _rows(specs: list[Spec], asked: dict[str, Any]) -> Rows:
    forms = [form for form in _FORMS if form in asked]
    if len(forms) != 1:
        raise Refusal(400, f"exactly one of {', '.join(_FORMS)} is needed, got {forms or 'none'}")
    form, value = forms[0], asked[forms[0]]
    if form == "dataframe_split":
        return _split_rows(specs, value)
    if form == "inputs" and isinstance(value, dict):
        return from_columns(specs, value)
    return from_records(specs, value, form)


def _split_rows(specs: list[Spec], value: Any) -> Rows:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Refusal(
            400, f"dataframe_split must be an object with columns and data, got {kind_of(value)}",
            field="dataframe_split",
        )  # fmt: skip
    columns = value.get("columns")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise Refusal(
            400,
            "dataframe_split.columns must be an array of names",
            field="dataframe_split.columns",
        )
    for index, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Refusal(
                400, f"dataframe_split.data[{index}] must be an array of {len(columns)} values",
                field="dataframe_split.data",
            )  # fmt: skip
    named = {name: [row[i] for row in value["data"]] for i, name in enumerate(columns)}
    return from_columns(specs, named)
