"""A deep-learning system driven from JupyterLab.

The names below are loaded when they are first used, so importing this package costs next to
nothing. `connect()` gives a client of the platform; `input()` and `dataset()` give training data;
with `checkpoint()` a job that is started again goes on where it was.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jupyter_dlsys._version import __version__

if TYPE_CHECKING:
    from jupyter_dlsys.client.checkpoints import checkpoint, last_checkpoint
    from jupyter_dlsys.client.client import Client, connect
    from jupyter_dlsys.client.inputs import bind, dataset, input, mlflow_env, project
    from jupyter_dlsys.contract.encoding import encode_utf8 as encode_text

__all__ = [
    "Client",
    "__version__",
    "bind",
    "checkpoint",
    "connect",
    "dataset",
    "encode_text",
    "input",
    "last_checkpoint",
    "mlflow_env",
    "project",
]

_WHERE = {
    "connect": ("jupyter_dlsys.client.client", "connect"),
    "Client": ("jupyter_dlsys.client.client", "Client"),
    "dataset": ("jupyter_dlsys.client.inputs", "dataset"),
    "input": ("jupyter_dlsys.client.inputs", "input"),
    "bind": ("jupyter_dlsys.client.inputs", "bind"),
    "checkpoint": ("jupyter_dlsys.client.checkpoints", "checkpoint"),
    "last_checkpoint": ("jupyter_dlsys.client.checkpoints", "last_checkpoint"),
    "mlflow_env": ("jupyter_dlsys.client.inputs", "mlflow_env"),
    "project": ("jupyter_dlsys.client.inputs", "project"),
    "encode_text": ("jupyter_dlsys.contract.encoding", "encode_utf8"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-dlsys"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_dlsys.server_extension.app import DLSysApp

    return [{"module": "jupyter_dlsys", "app": DLSysApp}]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_dlsys`: the %dlsys magic, and MLflow pointed at the platform."""
    from jupyter_dlsys.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext jupyter_dlsys`."""
    from jupyter_dlsys.magics import unload

    unload(shell)
