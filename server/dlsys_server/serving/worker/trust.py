"""Which model folders may be loaded without the word of a person.

`safe` loads only formats that hold numbers and a graph. Anything that can run code of its own
(pickles,
Python files, unknown loaders) needs `trust=code`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

Trust = Literal["safe", "code"]
_HINT = (
    "deploy it with trust=code if you trust who made it, or log the model as pt2 "
    "(the default of mlflow.pytorch.log_model)"
)
_SAFE_LOADERS = {"mlflow.pytorch", "mlflow.onnx"}
_CODE_KEYS = ("code", "python_model", "model_code_path", "cloudpickle_version")


class RefusedModel(Exception):
    """The model may run code when it is loaded, and nobody vouched for it."""


def check(folder: Path, flavors: dict[str, dict[str, Any]], trust: Trust) -> None:
    """Raise RefusedModel when loading `folder` could run code and trust is not "code"."""
    if trust == "code":
        return
    for name, flavor in flavors.items():
        for key in _CODE_KEYS:
            if flavor.get(key):
                raise RefusedModel(
                    f"the model carries Python code or a pickle ({name}.{key}) and needs "
                    f"trust=code: {_HINT}"
                )
    loader = flavors.get("python_function", {}).get("loader_module", "mlflow.pytorch")
    if loader not in _SAFE_LOADERS:
        raise RefusedModel(
            f"the model is loaded by {loader}, which unpickles or runs code, and "
            f"needs trust=code: {_HINT}"
        )
    if "pytorch" in flavors:
        _check_torch(folder, flavors["pytorch"])


def _check_torch(folder: Path, flavor: dict[str, Any]) -> None:
    data = _inside(folder, flavor.get("model_data", "data"))
    # MLflow imports the module that pickle_module_info.txt names before it looks at its own switch.
    if data.is_file() or (data / "model.pth").exists() or not (data / "model.pt2").is_file():
        raise RefusedModel(
            "the model is saved with pickle, which runs code when loaded, and "
            f"needs trust=code: {_HINT}"
        )


def _inside(folder: Path, relative: str) -> Path:
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RefusedModel(f"MLmodel points outside the model folder: {relative}")
    return path
