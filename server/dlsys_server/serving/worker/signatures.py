"""What a model takes: from its `dlsys` metadata, else from its MLflow signature."""

from __future__ import annotations

from typing import Any

from mlflow.models import Model
from mlflow.types import ColSpec, TensorSpec

from dlsys_server.serving.worker.models import ModelFault

_TENSOR_TYPES = {
    "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool",
}  # fmt: skip
Inputs = list[dict[str, Any]]


def inputs_from_metadata(dlsys: dict[str, Any]) -> Inputs:
    """Inputs of `metadata: {"dlsys": {"inputs": […]}}`; shapes are those of one item.

    Raises ModelFault.
    """
    entries = dlsys.get("inputs")
    if not isinstance(entries, list) or not entries:
        raise ModelFault("dlsys.inputs must be a list with at least one input")
    return [_input_from_metadata(index, entry) for index, entry in enumerate(entries)]


def _input_from_metadata(index: int, entry: Any) -> dict[str, Any]:
    where = f"dlsys.inputs[{index}]"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ModelFault(f"{where} must be an object with a name")
    if entry.get("type") == "string":
        if entry.get("encoding") != "utf8" or not isinstance(entry.get("length"), int):
            raise ModelFault(f'{where}: a string needs "encoding": "utf8" and a length')
        return {
            "name": entry["name"], "kind": "tensor", "type": "string", "shape": [],
            "encoding": "utf8", "length": entry["length"], "required": True,
        }  # fmt: skip
    if entry.get("type") not in _TENSOR_TYPES:
        raise ModelFault(f"{where}: unknown type {entry.get('type')!r}")
    shape = entry.get("shape", [])
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        raise ModelFault(f"{where}: shape must be a list of integers (of one item)")
    return {
        "name": entry["name"], "kind": "tensor", "type": entry["type"],
        "shape": shape, "required": True,
    }  # fmt: skip


def inputs_from_signature(description: Model) -> Inputs:
    """Inputs of the MLflow signature. Raises ModelFault when the model has none."""
    signature = description.signature
    if signature is None or not signature.inputs:
        raise ModelFault(
            "the model has neither dlsys metadata nor a signature: log it with an input_example"
        )
    return [_input_from_spec(spec) for spec in signature.inputs.inputs]


def _input_from_spec(spec: Any) -> dict[str, Any]:
    if isinstance(spec, TensorSpec):
        kind = spec.type.name
        text = spec.type.kind in "OUS"
        if not text and kind not in _TENSOR_TYPES:
            raise ModelFault(f"the signature has a tensor of type {kind}, which is not supported")
        return {
            "name": spec.name or "input", "kind": "tensor", "type": "string" if text else kind,
            "shape": [int(size) for size in spec.shape[1:]],
            "required": True, "unnamed": spec.name is None,
        }  # fmt: skip
    if isinstance(spec, ColSpec):
        column = getattr(spec.type, "name", None) or "any"
        return {
            "name": spec.name or "input", "kind": "column", "type": column,
            "shape": [], "required": bool(spec.required),
        }  # fmt: skip
    raise ModelFault(f"the signature has an input of a kind that is not supported: {spec}")
