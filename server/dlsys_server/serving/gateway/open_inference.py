"""Open Inference Protocol v2 over REST, with the binary tensor extension."""

from __future__ import annotations

from typing import Any

import orjson

from dlsys_server.serving.gateway.batching import Want
from dlsys_server.serving.gateway.deployment import Deployment
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.predictions import predict
from dlsys_server.serving.gateway.replica import Replica
from dlsys_server.serving.gateway.requests import Answer, Request, json_object
from dlsys_server.serving.gateway.tensors import datatype, rows_of_tensors

EXTENSIONS = ["binary_tensor_data", "model_repository(index)"]
_LENGTH = b"inference-header-content-length"


def metadata(deployment: Deployment, version: str | None) -> dict[str, Any]:
    """Metadata of a model. Raises Refusal 404 / 503."""
    replica = deployment.choose(version)
    contract = replica.contract
    return {
        "name": deployment.name,
        "versions": [replica.version],
        "platform": f"dlsys_{contract['platform']}",
        "inputs": [
            {"name": spec["name"], "datatype": datatype(spec), "shape": [-1, *spec["shape"]]}
            for spec in contract["inputs"]
        ],
        "outputs": contract["outputs"],
    }


def index(deployments: list[Deployment]) -> list[dict[str, Any]]:
    """Answer of `POST /v2/repository/index`."""
    entries = []
    for deployment in deployments:
        ready = deployment.state() in ("ready", "degraded")
        entries.append(
            {
                "name": deployment.name,
                "version": deployment.serving.version
                if deployment.serving
                else deployment.spec.active,
                "state": "READY" if ready else "UNAVAILABLE",
                "reason": deployment.message(),
            }
        )
    return entries


async def infer(
    request: Request, deployment: Deployment, version: str | None
) -> tuple[Answer, str]:
    """Answer of `…/infer`, and the version that gave it."""
    body = await request.body()
    head, binary = _split(request, body)
    asked = json_object(head)
    replica = deployment.choose(version)
    rows = rows_of_tensors(replica.contract["inputs"], asked.get("inputs"), binary)
    want = _want(replica, asked)
    fragments = await predict(request, replica, rows, want)
    given_id = asked.get("id")
    response = {
        "model_name": deployment.name,
        "model_version": replica.version,
        "id": given_id if isinstance(given_id, str) else request.id,
    }
    return _answer(response, replica, want, fragments, rows.count), replica.version


def _split(request: Request, body: bytes) -> tuple[bytes, bytes]:
    raw = request.header(_LENGTH)
    if raw is None:
        return body, b""
    if not raw.isdigit() or int(raw) > len(body):
        raise Refusal(400, "Inference-Header-Content-Length does not fit the body")
    return body[: int(raw)], body[int(raw) :]


def _want(replica: Replica, asked: dict[str, Any]) -> list[tuple[int, bool]]:
    names = [output["name"] for output in replica.contract["outputs"]]
    by_default = bool(_parameters(asked).get("binary_data_output", False))
    requested = asked.get("outputs")
    if not requested:
        return [(position, by_default) for position in range(len(names))]
    if not isinstance(requested, list):
        raise Refusal(400, "outputs must be an array", field="outputs")
    want = []
    for entry in requested:
        name = entry.get("name") if isinstance(entry, dict) else None
        if name not in names:
            raise Refusal(
                400, f"unknown output {name!r}, the model gives {', '.join(map(repr, names))}",
                field="outputs",
            )  # fmt: skip
        want.append((names.index(name), bool(_parameters(entry).get("binary_data", by_default))))
    return want


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    parameters = entry.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _answer(
    response: dict[str, Any], replica: Replica, want: Want, fragments: list[list[bytes]], rows: int
) -> Answer:
    """Puts the fragments of all parts together; numbers are not looked at."""
    outputs: list[bytes] = []
    blobs: list[bytes] = []
    for position, (index_, raw) in enumerate(want):
        output = replica.contract["outputs"][index_]
        pieces = [part[position] for part in fragments]
        shape = [rows, *output["shape"][1:]]
        head: dict[str, Any] = {**output, "shape": shape}
        if raw:
            blob = b"".join(pieces)
            head["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
            outputs.append(orjson.dumps(head))
        else:
            outputs.append(orjson.dumps(head)[:-1] + b',"data":[' + b",".join(pieces) + b"]}")
    top = orjson.dumps(response)[:-1] + b',"outputs":[' + b",".join(outputs) + b"]}"
    if not blobs:
        return Answer(top)
    headers = [
        (b"content-type", b"application/octet-stream"),
        (_LENGTH, str(len(top)).encode()),
    ]
    return Answer(top + b"".join(blobs), headers=headers)
