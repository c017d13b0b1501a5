"""What the machine and its jobs use: dlsys workers, dlsys jobs usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, JobId

if TYPE_CHECKING:
    from jupyter_dlsys.contract.system import Gpu, Worker


@covers("jobs.usage")
def usage(job: JobId, as_json: AsJson = False) -> None:
    """CPU, memory and GPU use of a job over time, and what it says."""
    from jupyter_dlsys.client import words
    from jupyter_dlsys.client.usage import NOTHING

    found = session.client().jobs.usage(job)
    if as_json:
        session.raw(found)
        return
    curves = found.curves()
    if not curves:
        session.console().print(NOTHING, style="dim")
        return
    output.draw(["", "over time", ""], curves)
    passed = (found.points[-1].at - found.points[0].at).total_seconds()
    used = f"{words.seconds(found.cpu_seconds)} of CPU time in {words.seconds(passed)}."
    session.console().print(used)
    for hint in found.hints:
        session.console().print(f"! {hint}")


@covers("system.workers")
def workers(as_json: AsJson = False) -> None:
    """Machines that run jobs: what jobs hold of them, and how busy they are."""
    found = session.client().system.workers()
    if as_json:
        session.raw(found)
        return
    for worker in found:
        output.pairs(worker.name, _about(worker))


def _about(worker: Worker) -> dict[str, Any]:
    from jupyter_dlsys.client.words import memory, number

    return {
        "CPUs": _parts(
            f"{number(worker.cpus_used)} of {number(worker.cpus)} held",
            "" if worker.cpu_load is None else f"{worker.cpu_load:.1f} busy",
        ),
        "memory": _parts(
            f"{memory(worker.memory_bytes_used)} of {memory(worker.memory_bytes)} held",
            ""
            if worker.memory_bytes_load is None
            else f"{memory(worker.memory_bytes_load)} in use",
        ),
        "GPUs": f"{worker.gpus_used} of {len(worker.gpus)} held" if worker.gpus else "none",
        **{f"GPU {gpu.id}": _gpu(gpu) for gpu in worker.gpu_details},
        "jobs": worker.jobs,
        **_platform(worker),
        "isolation": _isolation(worker),
        "warm start": _warm(worker),
    }


def _parts(*texts: str) -> str:
    return ", ".join(text for text in texts if text)


def _platform(worker: Worker) -> dict[str, object]:
    """Only where there are several."""
    if worker.seen_at is None:
        return {}
    leads = "decides what starts" if worker.leads else ""
    return {"platform": _parts(worker.platform, worker.url, leads)}


def _gpu(gpu: Gpu) -> str:
    from jupyter_dlsys.client.words import memory

    used, there_is = gpu.memory_bytes_used, gpu.memory_bytes
    held = f"held by {', '.join(gpu.jobs)}" if gpu.jobs else "free"
    return _parts(
        gpu.name,
        "" if gpu.utilization is None else f"{gpu.utilization:.0%} busy",
        f"{memory(used)} of {memory(there_is)}" if used is not None and there_is else "",
        held,
    )


def _isolation(worker: Worker) -> str:
    found = worker.isolation
    if found is None:
        return ""
    return found.words or _parts(
        found.account,
        f"memory: {found.memory}",
        f"processes: {found.processes}",
        f"sandbox: {found.sandbox}",
    )


def _warm(worker: Worker) -> str:
    from jupyter_dlsys.client.words import memory

    found = worker.warm
    if found is None:
        return ""
    return _parts(
        found.message.rstrip(".") or found.state,
        f"kernels that wait: {found.parked}" if found.parked else "",
        memory(found.memory_bytes) if found.memory_bytes else "",
    )
