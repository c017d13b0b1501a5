"""The worker's life: load, report the contract, answer one batch after the other."""

from __future__ import annotations

import gc
import logging
import os
import select
import socket
import time
from pathlib import Path

import torch

from dlsys_server.serving.worker import frames, sandbox
from dlsys_server.serving.worker.batches import Batch, answer
from dlsys_server.serving.worker.loading import import_ahead, load
from dlsys_server.serving.worker.models import LoadedModel, ModelFault
from dlsys_server.serving.worker.trust import RefusedModel

_log = logging.getLogger(__name__)


def run(channel: socket.socket, scratch: Path, parent: int) -> int:
    """Serve until the gateway closes the channel. Returns the exit status."""
    if not select.select([channel], [], [], 0)[0]:
        import_ahead()  # a spare: its model comes later
    first = frames.receive(channel)
    if first is None:
        return 0
    order = first[0]
    try:
        model = _prepare(channel, order, scratch, parent)
    except Exception as error:  # noqa: BLE001
        _log.exception("the model did not load")
        channel.sendall(frames.pack({"type": "failed", "error": _reason(error)}))
        return 1
    gc.freeze()
    gc.enable()
    while (message := frames.receive(channel)) is not None:
        channel.sendall(_reply(model, *message))
    return 0


def _prepare(
    channel: socket.socket, order: frames.Header, scratch: Path, parent: int
) -> LoadedModel:
    started = time.perf_counter()
    folder = Path(order["path"])
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no model folder at {folder}")
    trusted = order["trust"] == "code"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true" if trusted else "false"
    isolation = sandbox.drop_root(folder, scratch, parent)
    torch.set_num_threads(int(order.get("threads") or 1))
    model, notes = load(folder, order["trust"])
    ready = {
        "type": "ready",
        "contract": model.contract,
        "isolation": isolation,
        "notes": notes,
        "seconds": time.perf_counter() - started,
    }
    channel.sendall(frames.pack(ready))
    return model


def _reply(model: LoadedModel, header: frames.Header, blob: bytearray) -> bytes:
    started = time.perf_counter()
    try:
        with torch.inference_mode():
            sizes, result = answer(model, Batch(header["parts"], blob))
    except Exception as error:  # noqa: BLE001
        _log.exception("prediction failed")
        return frames.pack({"type": "error", "error": _reason(error)})
    seconds = time.perf_counter() - started
    return frames.pack({"type": "result", "sizes": sizes, "seconds": seconds}, result)


def _reason(error: Exception) -> str:
    if isinstance(error, (RefusedModel, ModelFault)):
        return str(error)[:2000]
    return f"{type(error).__name__}: {error}"[:2000]
