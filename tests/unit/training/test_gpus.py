"""GPUs through NVML. The hardware is a fake with the library's functions; no GPU was run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dlsys_server.training.gpus import GpuReader, GpuState, load_nvml, use_of

GB = 2**30


class FakeNvml:
    """Two GPUs; the second cannot tell its utilisation, as in partitioned ones."""

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.asked = 0
        self.open = True

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        self.asked += 1
        if index > 1:
            raise self.NVMLError("Invalid Argument")
        return f"handle-{index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != "GPU-b":
            raise self.NVMLError("Not Found")
        return "handle-1"

    def nvmlDeviceGetName(self, handle: str) -> str | bytes:  # noqa: N802
        return "Fake A" if handle == "handle-0" else b"Fake B"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802
        return SimpleNamespace(total=80 * GB, used=3 * GB, free=77 * GB)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:  # noqa: N802
        if handle == "handle-1":
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(gpu=4, memory=1)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[Any]:  # noqa: N802
        if handle == "handle-1":
            return [SimpleNamespace(pid=99, usedGpuMemory=None)]
        return [
            SimpleNamespace(pid=10, usedGpuMemory=2 * GB),
            SimpleNamespace(pid=11, usedGpuMemory=GB),
        ]

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open = False


def test_each_gpu_is_read_by_index_or_uuid_as_far_as_it_answers() -> None:
    nvml = FakeNvml()
    reader = GpuReader(["0", "GPU-b", "7"], lambda: nvml)
    states = reader.states()
    assert states["0"] == GpuState("0", "Fake A", 80 * GB, 3 * GB, 0.04, {10: 2 * GB, 11: GB})
    assert states["GPU-b"].name == "Fake B"
    assert states["GPU-b"].utilization is None
    assert "7" not in states
    reader.states()
    assert nvml.asked == 2, "GPUs are asked again at once"
    reader.close()
    assert not nvml.open
    assert reader.states() == {}


def test_nothing_is_loaded_without_gpus_and_nothing_breaks_without_a_driver() -> None:
    loaded = []
    GpuReader([], lambda: loaded.append(1)).states()
    assert loaded == []
    reader = GpuReader(["0"], lambda: None)
    assert reader.states() == {}
    assert use_of(reader.states(), ["0"], [10], alone=True).utilization is None
    reader.close()


def test_the_real_library_says_no_where_there_is_no_driver() -> None:
    nvml = load_nvml()
    if nvml is not None:  # on a machine with a GPU it is ready
        assert nvml.nvmlDeviceGetCount() >= 0
        nvml.nvmlShutdown()


def test_memory_is_matched_to_the_processes_of_the_job() -> None:
    states = GpuReader(["0", "1"], FakeNvml).states()
    shared = use_of(states, ["0"], [10, 12], alone=False)
    assert (shared.utilization, shared.memory_bytes) == (0.04, 2 * GB)
    assert use_of(states, ["0"], [10, 11], alone=True).memory_bytes == 3 * GB
    both = use_of(states, ["0", "1"], [10, 99], alone=True)
    assert (both.utilization, both.memory_bytes) == (0.04, 5 * GB)


def test_with_foreign_process_ids_only_a_whole_gpu_tells_its_memory() -> None:
    states = GpuReader(["0"], FakeNvml).states()
    assert use_of(states, ["0"], [5], alone=True).memory_bytes == 3 * GB
    assert use_of(states, ["0"], [5], alone=False).memory_bytes is None
    assert use_of(states, [], [5], alone=True).memory_bytes is None
