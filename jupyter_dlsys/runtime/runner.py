"""The job process: prepares what the user's code needs, runs it, tells what happens.

    python -m jupyter_dlsys.runtime.runner OWN_DIR

Started by the supervisor, or forked.  Exit status 0 = the job succeeded; else `error.json` says
why.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from .events import Spool
from .inputs import prepare_inputs, user_environment
from .job import Job, JobError


def run(job: Job, spool: Spool) -> int:
    """Run the job to its end; returns the exit status.  Raises JobError."""
    spool.phase("preparing-inputs")
    job.work.mkdir(exist_ok=True)
    job.outputs.mkdir(exist_ok=True)
    os.environ.update(prepare_inputs(job, job.folder))
    environment = {**os.environ, **user_environment(job)}
    if job.kind == "script":
        from .script import run_script

        return run_script(job, spool, environment)
    from .notebook import run_notebook

    return run_notebook(job, spool, environment)


def write_error(folder: Path, failure: JobError) -> None:
    temporary = folder / "error.json.tmp"
    temporary.write_text(json.dumps(failure.as_dict()))
    temporary.replace(folder / "error.json")


def main(folder: Path, start: dict[str, str] | None = None) -> int:
    """Run the job of a folder; `start` says how this process was made when it was not cold."""
    spool = Spool(folder / "events.jsonl")
    try:
        job = Job.load(folder)
        return run(replace(job, start=start) if start else job, spool)
    except JobError as error:
        if error.reason == "launch-failed":
            traceback.print_exc()
            spool.error(error.cell, error.ename, error.evalue or error.message, [])
        write_error(folder, error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  (the job must end with words)
        traceback.print_exc()
        name = type(error).__name__
        spool.error(None, name, str(error), traceback.format_exc().splitlines())
        message = f"The job could not be run: {name}: {error}"
        write_error(
            folder, JobError(message, ename=name, evalue=str(error), reason="launch-failed")
        )
        return 1
    finally:
        spool.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
