"""Real models for the tests, written as MLflow folders by the calls that the docs show."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import mlflow.pytorch
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import nn

from jupyter_dlsys.contract.encoding import encode_utf8

LABELS = ["angry", "calm", "happy"]
LENGTH = 16


class Words(nn.Module):
    """Bytes of a text -> probabilities; `favourite` is the label that wins for every text."""

    def __init__(self, favourite: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(257, 8, padding_idx=0)
        self.out = nn.Linear(8, len(LABELS))
        with torch.no_grad():
            self.out.weight.mul_(0.01)
            self.out.bias.zero_()
            self.out.bias[favourite] = 5.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(x).mean(1)).softmax(-1)


class Digits(nn.Module):
    """[n, 8, 8] -> logits [n, 4]: sums of the four row pairs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], 4, 16).sum(-1)


class Doubler(nn.Module):
    """[n, 3] -> [n, 3]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Adder(nn.Module):
    """Two inputs, [n, 2] and int64 [n], in that order."""

    def forward(self, x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return x.sum(1) + k


def words(path: Path, favourite: int, **dlsys: Any) -> Path:
    model = Words(favourite).eval()
    texts = ["first", "second"]
    encoded = encode_utf8(texts, LENGTH)
    golden = path.parent / "golden.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    probabilities = model(torch.from_numpy(encoded)).tolist()
    content = {
        "inputs": {"text": texts},
        "outputs": {"label": [LABELS[favourite]] * 2, "probabilities": probabilities},
    }
    golden.write_text(json.dumps(content))
    described = {
        "inputs": [{"name": "text", "type": "string", "encoding": "utf8", "length": LENGTH}],
        "output": "probabilities",
        "labels": LABELS,
        "golden": "golden.json",
        **dlsys,
    }
    save(model, path, encoded, described, extra_files=[str(golden)])
    return path


def digits(path: Path) -> Path:
    described = {
        "inputs": [{"name": "image", "type": "float32", "shape": [8, 8]}],
        "output": "logits",
        "labels": ["a", "b", "c", "d"],
    }
    save(Digits(), path, np.zeros((2, 8, 8), np.float32), described)
    return path


def doubler(path: Path) -> Path:
    """Without dlsys metadata: the signature is the contract."""
    save(Doubler(), path, np.ones((2, 3), np.float32), None)
    return path


def frozen_batch(path: Path) -> Path:
    """Exported with one row: the graph takes exactly one."""
    save(Doubler(), path, np.ones((1, 3), np.float32), None)
    return path


def adder(path: Path) -> Path:
    described = {
        "inputs": [
            {"name": "x", "type": "float32", "shape": [2]},
            {"name": "k", "type": "int64", "shape": []},
        ],
        "output": "raw",
    }
    example = (np.ones((2, 2), np.float32), np.ones(2, np.int64))
    takes = Schema(
        [TensorSpec(np.dtype("float32"), (-1, 2), "x"), TensorSpec(np.dtype("int64"), (-1,), "k")]
    )
    save(Adder(), path, example, described, signature=ModelSignature(inputs=takes))
    return path


def save(model: nn.Module, path: Path, example: Any, dlsys: Any, **more: Any) -> None:
    mlflow.pytorch.save_model(
        model.eval(),
        str(path),
        input_example=example,
        metadata={"dlsys": dlsys} if dlsys else None,
        pip_requirements=["mlflow", "torch"],
        **more,
    )


def sklearn_pickle(path: Path) -> Path:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "count": [1, 0, 1, 0]})
    model = LogisticRegression().fit(frame, [0, 0, 1, 1])
    mlflow.sklearn.save_model(
        model,
        str(path),
        serialization_format="cloudpickle",
        signature=infer_signature(frame, model.predict(frame)),
        input_example=frame,
        pip_requirements=["scikit-learn"],
    )
    return path


class Marker:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> Any:
        return (os.mkdir, (self.marker,))


PYTHON_MODEL = '''
import os, time
import mlflow.pyfunc

class Moody(mlflow.pyfunc.PythonModel):
    """Does what the text says."""

    def predict(self, context, model_input, params=None):
        for text in model_input["text"]:
            if text == "die":
                os._exit(7)
            if text == "raise":
                raise ValueError("cannot stand this")
            if text.startswith("sleep "):
                time.sleep(float(text.split()[1]))
            if text == "environment":
                return [",".join(sorted(os.environ)) for _ in model_input["text"]]
        return [text.upper() for text in model_input["text"]]

mlflow.models.set_model(Moody())
'''


def python_model(path: Path) -> Path:
    """Models-from-code: misbehaves on request."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec

    path.parent.mkdir(parents=True, exist_ok=True)
    script = path.parent / "moody.py"
    script.write_text(PYTHON_MODEL)
    mlflow.pyfunc.save_model(
        str(path),
        python_model=str(script),
        signature=ModelSignature(inputs=Schema([ColSpec("string", "text")])),
        pip_requirements=["mlflow"],
    )
    return path
