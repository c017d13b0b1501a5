"""What GPUs do, by NVML (NVIDIA's management library). Without a driver nothing is known."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)
FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class GpuState:
    """One look at a GPU. `processes` has the bytes of each process id, None where not told."""

    id: str
    name: str = ""
    memory_bytes: int | None = None
    memory_bytes_used: int | None = None
    utilization: float | None = None
    processes: Mapping[int, int | None] = field(default_factory=dict)


def load_nvml() -> Any | None:
    """The library, ready; None where there is no driver (or no library)."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.info("GPUs are not watched: %s", error)
        return None
    return pynvml


class GpuReader:
    """Reads the GPUs that jobs may be given, at most once a second. Thread-safe."""

    def __init__(self, ids: Sequence[str], load: Callable[[], Any | None] = load_nvml) -> None:
        """Nothing is loaded before the first look, and never without GPUs.

        Args:
            ids: as in `CUDA_VISIBLE_DEVICES`: indexes in PCI order, or UUIDs.
            load: gives the library with its functions, None without a driver.
        """
        self.ids, self._load = tuple(ids), load
        self._lock = threading.Lock()
        self._nvml: Any | None = None
        self._loaded = False
        self._read_at = -FRESH_SECONDS
        self._states: dict[str, GpuState] = {}

    def states(self) -> dict[str, GpuState]:
        """Each GPU that answers, by id."""
        with self._lock:
            if self.ids and not self._loaded:
                self._loaded, self._nvml = True, self._load()
            if self._nvml is None or time.monotonic() - self._read_at < FRESH_SECONDS:
                return self._states
            read = (_state(self._nvml, gpu) for gpu in self.ids)
            self._states = {state.id: state for state in read if state is not None}
            self._read_at = time.monotonic()
            return self._states

    def close(self) -> None:
        """Let the library go."""
        with self._lock:
            if self._nvml is not None:
                _ask(self._nvml, self._nvml.nvmlShutdown)
            self._nvml, self._states = None, {}


@dataclass(frozen=True)
class GpuUse:
    """What one job uses of its GPUs: mean utilisation 0 to 1, bytes; None where not known."""

    utilization: float | None = None
    memory_bytes: int | None = None


def use_of(
    states: Mapping[str, GpuState], held: Iterable[str], pids: Iterable[int], alone: bool
) -> GpuUse:
    """A job's share of what its GPUs do.

    Utilisation is that of the whole GPU. Memory is that of the job's processes. In a container the
    driver tells process ids of the host, or none; then all memory in use of a GPU that the job has
    to itself (`alone`) counts as the job's, and that of a shared one is not known.
    """
    mine = [states[gpu] for gpu in held if gpu in states]
    known, wanted = [s.utilization for s in mine if s.utilization is not None], set(pids)
    amounts = [_memory(state, wanted, alone) for state in mine]
    told = [amount for amount in amounts if amount is not None]
    return GpuUse(
        sum(known) / len(known) if known else None,
        sum(told) if told else None,
    )


def _memory(state: GpuState, pids: set[int], alone: bool) -> int | None:
    ours = [amount for pid, amount in state.processes.items() if pid in pids]
    if ours and all(amount is not None for amount in ours):
        return sum(amount for amount in ours if amount is not None)
    return state.memory_bytes_used if alone else None


def _state(nvml: Any, gpu: str) -> GpuState | None:
    find = nvml.nvmlDeviceGetHandleByIndex if gpu.isdigit() else nvml.nvmlDeviceGetHandleByUUID
    handle = _ask(nvml, find, int(gpu) if gpu.isdigit() else gpu)
    if handle is None:
        return None
    name = _ask(nvml, nvml.nvmlDeviceGetName, handle) or ""
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    rates = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    running = _ask(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    return GpuState(
        gpu,
        name.decode() if isinstance(name, bytes) else str(name),
        memory_bytes=None if memory is None else int(memory.total),
        memory_bytes_used=None if memory is None else int(memory.used),
        utilization=None if rates is None else rates.gpu / 100,
        processes={p.pid: p.usedGpuMemory for p in running},
    )


def _ask(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any | None:
    """The answer; None for what this GPU or driver does not support."""
    try:
        return function(*arguments)
    except nvml.NVMLError:
        return None
