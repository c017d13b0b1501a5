"""Which of our processes spend the CPU seconds of jobs."""

from __future__ import annotations

import psutil

from benchmarks.measuring import tree

SHARES = ("platform", "MLflow", "zygote", "supervisor, runner, kernel")
_MLFLOW, _ZYGOTE = "dlsys_server.metadata.mlflow", "jupyter_dlsys.runtime.zygote"


def spent(platform: int) -> dict[str, float]:
    """CPU seconds until now by part, with children that have ended and were waited for.

    A chain that is parked counts as the last part, like the one of a job: so from one moment with a
    parked chain to another, that part is what whole chains cost. Args: platform, its process id.
    """
    found = dict.fromkeys(SHARES, 0.0)
    for process in tree(platform):
        try:
            words, times = " ".join(process.cmdline()), process.cpu_times()
            parent = process.parent()
            under = " ".join(parent.cmdline()) if parent else ""
        except psutil.Error:
            continue
        own = times.user + times.system
        ended = times.children_user + times.children_system
        if _MLFLOW in words:
            found["MLflow"] += own + ended
        elif _ZYGOTE in words and _ZYGOTE in under:  # forked, so it has the zygote's command line
            found["supervisor, runner, kernel"] += own + ended
        elif _ZYGOTE in words:
            found["zygote"] += own
            found["supervisor, runner, kernel"] += ended
        elif process.pid == platform:
            found["platform"] += own
    return found
