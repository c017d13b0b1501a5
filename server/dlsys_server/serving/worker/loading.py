"""Loads a model folder with MLflow, works out its contract and proves it by a first prediction."""

from __future__ import annotations

import contextlib
import importlib
import logging
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.pytorch
import numpy as np
import torch
from mlflow.models import Model

from dlsys_server.serving.worker import trust as trust_rules
from dlsys_server.serving.worker.datatypes import datatype_of
from dlsys_server.serving.worker.models import (
    Column,
    Contract,
    GraphModel,
    Head,
    LoadedModel,
    ModelFault,
    PyfuncModel,
)
from dlsys_server.serving.worker.signatures import inputs_from_metadata, inputs_from_signature

_log = logging.getLogger(__name__)
_LATE_IMPORTS = ("torch.export.pt2_archive._package", "torch._inductor.sizevars")
"""What torch imports when it loads its first graph: most of the time that this takes."""


def import_ahead() -> None:
    """Make the first load fast; what this torch has under other names it imports when it loads."""
    for name in _LATE_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def load(folder: Path, trust: trust_rules.Trust) -> tuple[LoadedModel, list[str]]:
    """The model, warm, with its contract complete; and notes that its owner should read.

    Raises trust.RefusedModel when it needs trust=code, ModelFault when it breaks its own
    contract, and
    whatever MLflow or torch raise for a damaged folder.
    """
    description = Model.load(str(folder))
    flavors: dict[str, dict[str, Any]] = description.flavors
    trust_rules.check(folder, flavors, trust)
    dlsys = (description.metadata or {}).get("dlsys")
    contract: Contract = {
        "source": "dlsys" if dlsys else "signature",
        "inputs": inputs_from_metadata(dlsys) if dlsys else inputs_from_signature(description),
        "outputs": [],
        "labels": (dlsys or {}).get("labels"),
        "output": (dlsys or {}).get("output", "raw"),
        "golden": (dlsys or {}).get("golden"),
        "signature": description.signature.to_dict() if description.signature else None,
        "max_batch": None,
    }
    if "pytorch" in flavors:
        return _load_graph(folder, contract)
    return _load_pyfunc(folder, contract, description)


def _load_graph(folder: Path, contract: Contract) -> tuple[LoadedModel, list[str]]:
    graph = mlflow.pytorch.load_model(str(folder))
    head = Head(contract["output"], contract["labels"])
    contract["platform"] = "pytorch"
    model = GraphModel(graph, contract, head)
    notes: list[str] = []
    with torch.inference_mode():
        one = _try(model, 1)
        try:
            _try(model, 2)
        except Exception as error:  # noqa: BLE001
            _log.warning("a batch of two fails", exc_info=error)
            contract["max_batch"] = 1
            notes.append(
                "the graph takes one row at a time (exported with an example of one "
                "row?): no batching"
            )
    contract["labels"] = head.labels
    contract["outputs"] = [
        _output(name, column) for name, column in zip(head.names(), one, strict=True)
    ]
    model.skip_repeated_checks()
    return model, notes


def _try(model: GraphModel, rows: int) -> list[Column]:
    try:
        return model.predict([_sample(spec, rows) for spec in model.contract["inputs"]], rows)
    except ModelFault:
        raise
    except Exception as error:
        inputs = ", ".join(_describe(spec) for spec in model.contract["inputs"])
        raise ModelFault(
            f"a first prediction with {rows} row(s) of {inputs} failed: "
            f"{type(error).__name__}: {error}"
        ) from error


def _load_pyfunc(
    folder: Path, contract: Contract, description: Model
) -> tuple[LoadedModel, list[str]]:
    contract["platform"] = "mlflow"
    model = PyfuncModel(mlflow.pyfunc.load_model(str(folder)), contract)
    columns, rows, real = _example(folder, contract, description)
    notes: list[str] = []
    try:
        found = model.outputs(model.call(columns), rows)
        contract["outputs"] = [_output(name, column) for name, column in found]
    except Exception as error:
        if real:
            raise ModelFault(f"the model fails on its own input example: {error}") from error
        notes.append(f"a first prediction with made-up values failed: {error}"[:500])
        contract["outputs"] = [{"name": "output", "datatype": "FP64", "shape": [-1]}]
    return model, notes


def _example(
    folder: Path, contract: Contract, description: Model
) -> tuple[list[Column], int, bool]:
    """Columns for a first prediction:

    the saved example, or made-up values (then the last is False).
    """
    made_up: list[Column] = [_sample(spec, 1) for spec in contract["inputs"]]
    try:
        example: Any = description.load_input_example(str(folder))
    except Exception:  # noqa: BLE001
        _log.warning("the input example cannot be read", exc_info=True)
        return made_up, 1, False
    specs = contract["inputs"]
    if example is None:
        return made_up, 1, False
    if hasattr(example, "columns"):
        names = {str(name): name for name in example.columns}
        if all(spec["name"] in names for spec in specs):
            found: list[Column] = [example[names[spec["name"]]].tolist() for spec in specs]
            return found, len(example), True
    if isinstance(example, np.ndarray) and len(specs) == 1 and specs[0]["kind"] != "column":
        return [example], len(example), True
    return made_up, 1, False


def _sample(spec: dict[str, Any], rows: int) -> Column:
    if spec["type"] == "string":
        return ["warm up"] * rows
    if spec["kind"] == "column":
        return [{"boolean": False, "datetime": "2000-01-01"}.get(spec["type"], 0)] * rows
    shape = [max(size, 1) for size in spec["shape"]]
    return np.zeros([rows, *shape], dtype=np.dtype(spec["type"]))


def _describe(spec: dict[str, Any]) -> str:
    return f"{spec['name']} ({spec['type']}{list(spec['shape']) if spec['shape'] else ''})"


def _output(name: str, column: Column) -> dict[str, Any]:
    shape = [-1, *(column.shape[1:] if isinstance(column, np.ndarray) else ())]
    return {"name": name, "datatype": datatype_of(column), "shape": shape}
