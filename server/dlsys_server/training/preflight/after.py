"""Jobs that the submission waits for."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_dlsys.contract.jobs import TERMINAL_STATES
from jupyter_dlsys.contract.preflight import Finding

from .subject import Subject, finding


def look(subject: Subject) -> Iterator[Finding]:
    """Jobs that are not there, and those that did not succeed."""
    wanted = list(dict.fromkeys(subject.body.after))
    if not wanted:
        return
    states = subject.job_states(wanted)
    for job in wanted:
        state = states.get(job)
        if state is None:
            text = f"There is no job '{job[:60]}' in this project to wait for."
            yield finding("no-such-job", "error", text)
        elif state in TERMINAL_STATES - {"succeeded"}:
            text = f"Job {job} has ended as {state}, so this one would be skipped."
            yield finding("after-failed", "error", text)
