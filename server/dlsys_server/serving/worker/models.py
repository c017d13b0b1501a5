"""A loaded model behind one face: columns of inputs in, columns of outputs out."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from jupyter_dlsys.contract.encoding import encode_utf8

Column = NDArray[Any] | list[Any]
Contract = dict[str, Any]


class ModelFault(Exception):
    """The model does not do what its metadata says."""


class LoadedModel(Protocol):
    """What the worker's loop needs of a model."""

    contract: Contract

    def predict(self, columns: list[Column], rows: int) -> list[Column]:
        """Outputs in the order of contract["outputs"], each of length `rows`."""


class Head:
    """Turns what a graph returns into named outputs.

    "probabilities": [n, k], given back with the label of the largest; "logits": the same after a
    softmax; "raw": the numbers as they are.
    """

    def __init__(self, kind: str, labels: list[str] | None) -> None:
        if kind not in ("probabilities", "logits", "raw"):
            raise ModelFault(f"dlsys.output is {kind!r}: probabilities, logits or raw is expected")
        self.kind = kind
        self.labels = labels

    def columns(self, result: torch.Tensor) -> list[Column]:
        if self.kind == "raw":
            return [result.numpy(force=True)]
        if result.ndim != 2:
            raise ModelFault(
                f"dlsys.output is {self.kind!r} but the graph returns "
                f"{list(result.shape)}, not [n, classes]"
            )
        scores = result.float().softmax(-1) if self.kind == "logits" else result
        if self.labels is None:
            self.labels = [str(index) for index in range(scores.shape[1])]
        if len(self.labels) != scores.shape[1]:
            raise ModelFault(
                f"the graph returns {scores.shape[1]} numbers a row, but dlsys.labels "
                f"names {len(self.labels)}"
            )
        best = scores.argmax(-1).tolist()
        return [[self.labels[index] for index in best], scores.numpy(force=True)]

    def names(self) -> list[str]:
        return ["output"] if self.kind == "raw" else ["label", "probabilities"]


class GraphModel:
    """A torch graph (pt2): tensors in, one tensor out."""

    def __init__(self, graph: Any, contract: Contract, head: Head) -> None:
        self._graph = graph
        self._head = head
        self.contract = contract

    def skip_repeated_checks(self) -> None:
        """From now on call the graph without torch's hooks, which check number and nesting of the
        arguments at each call (more than the work of a small model). Those never change here, and
        guards on shapes are part of the graph; a graph without them keeps its hooks.
        """
        if hasattr(self._graph, "_guards_fn"):
            self._graph = self._graph.forward

    def predict(self, columns: list[Column], rows: int) -> list[Column]:
        specs = self.contract["inputs"]
        tensors = [self._tensor(s, c) for s, c in zip(specs, columns, strict=True)]
        result = self._graph(*tensors)
        if isinstance(result, (tuple, list)) and len(result) == 1:
            result = result[0]
        if not isinstance(result, torch.Tensor):
            raise ModelFault(f"the graph returns {type(result).__name__}, one tensor is expected")
        if result.ndim == 0 or result.shape[0] != rows:
            raise ModelFault(f"the graph returns {list(result.shape)} for a batch of {rows}")
        return self._head.columns(result)

    @staticmethod
    def _tensor(spec: dict[str, Any], column: Column) -> torch.Tensor:
        if spec.get("encoding") == "utf8":
            return torch.from_numpy(encode_utf8(list(column), spec["length"]))
        return torch.from_numpy(np.asarray(column))


_FRAME_TYPES = {
    "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64",
    "datetime": "datetime64[ns]",
}  # fmt: skip


class PyfuncModel:
    """Any other MLflow model, called through its pyfunc door."""

    def __init__(self, model: Any, contract: Contract) -> None:
        self._model = model
        self.contract = contract

    def predict(self, columns: list[Column], rows: int) -> list[Column]:
        outputs = self.outputs(self.call(columns), rows)
        return [column for _, column in outputs]

    def call(self, columns: list[Column]) -> Any:
        """What the model returns, as it is."""
        specs = self.contract["inputs"]
        if all(spec["kind"] == "column" for spec in specs):
            return self._model.predict(self._frame(columns))
        if len(specs) == 1 and specs[0].get("unnamed"):
            return self._model.predict(np.asarray(columns[0]))
        named = zip(specs, columns, strict=True)
        return self._model.predict({spec["name"]: np.asarray(column) for spec, column in named})

    def _frame(self, columns: list[Column]) -> Any:
        import pandas as pd

        frame = pd.DataFrame(index=range(len(columns[0])))
        for spec, column in zip(self.contract["inputs"], columns, strict=True):
            missing = any(value is None for value in column)
            kind = _FRAME_TYPES.get(spec["type"])
            if missing and kind in ("int32", "int64", "bool"):
                kind = "float64" if kind != "bool" else None
            frame[spec["name"]] = pd.Series(list(column), dtype=kind or "object")
        return frame

    @staticmethod
    def outputs(result: Any, rows: int) -> list[tuple[str, Column]]:
        """Named columns of whatever a pyfunc model may return."""
        if hasattr(result, "columns") and hasattr(result, "to_dict"):
            named = {str(name): result[name].tolist() for name in result.columns}
        elif isinstance(result, dict):
            named = {str(name): _column(value) for name, value in result.items()}
        else:
            named = {"output": _column(result)}
        for name, column in named.items():
            if len(column) != rows:
                raise ModelFault(
                    f"the model returned {len(column)} values ({name}) for {rows} rows"
                )
        return list(named.items())


def _column(value: Any) -> Column:
    if isinstance(value, torch.Tensor):
        return value.numpy(force=True)
    if isinstance(value, np.ndarray):
        return value if value.ndim else value.reshape(1)
    if hasattr(value, "to_numpy"):
        return np.asarray(value.to_numpy())
    return list(value)
