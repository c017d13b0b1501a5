"""Runs a notebook as a job, through papermill with our engine."""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

# jsonschema then skips its IRI checker, which takes over a second to import
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import papermill  # noqa: E402
from papermill.engines import papermill_engines  # noqa: E402

from .engine import DlsysEngine  # noqa: E402
from .events import Spool  # noqa: E402
from .job import Job, JobError  # noqa: E402
from .kernel import choose_launch  # noqa: E402
from .messages import Stopped  # noqa: E402

START_SECONDS = 120
STOPPED = 128 + signal.SIGTERM

papermill_engines.register("dlsys", DlsysEngine)


class _Warnings(logging.Handler):
    """What papermill warns of (an unknown parameter, say) is for the user."""

    def __init__(self, spool: Spool) -> None:
        super().__init__(logging.WARNING)
        self.spool = spool

    def emit(self, record: logging.LogRecord) -> None:
        self.spool.log("system", record.getMessage() + "\n")


def read_notebook(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(notebook["cells"], list):
            return dict(notebook)
        raise TypeError("it has no list of cells")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(
            f"{path.name} is not a notebook that can be read: {error}",
            ename=type(error).__name__,
            evalue=str(error),
        ) from error


def run_notebook(job: Job, spool: Spool, environment: dict[str, str]) -> int:
    """Execute the job's notebook into `notebook.ipynb`.  Raises JobError."""
    notebook = read_notebook(job.source_path)
    metadata = notebook.get("metadata") or {}
    launch = choose_launch(job, notebook)
    spool.started(launch.mode, launch.reason)
    if launch.warning:
        spool.log("system", launch.warning + "\n")
    handler = _Warnings(spool)
    logging.getLogger("papermill").addHandler(handler)
    language = (metadata.get("kernelspec") or {}).get("language") or "python"
    try:
        papermill.execute_notebook(
            str(job.source_path).replace("{", "{{").replace("}", "}}"),
            None,  # the engine saves: papermill's own writes are not atomic
            parameters=job.parameters,
            engine_name="dlsys",
            kernel_name=launch.kernel_name,
            language=language,
            progress_bar=False,
            start_timeout=START_SECONDS,
            cwd=str(job.work),
            job=job,
            spool=spool,
            launch=launch,
            environment=environment,
        )
    except papermill.PapermillExecutionError:
        pass  # an error output that the engine tolerated
    except Stopped:
        return STOPPED
    finally:
        logging.getLogger("papermill").removeHandler(handler)
        launch.close()
    return 0
