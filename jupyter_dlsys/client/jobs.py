"""Jobs: submit, watch, read what they leave."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.connection import new_key
from jupyter_dlsys.client.errors import JobFailed, TimedOut
from jupyter_dlsys.client.modules import read_source
from jupyter_dlsys.client.preflight import look, look_first
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.results import Job
from jupyter_dlsys.client.streams import follow
from jupyter_dlsys.client.submissions import submission
from jupyter_dlsys.client.usage import JobUsage
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.client.words import state as state_in_words
from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.jobs import (
    TERMINAL_STATES,
    Artifact,
    InputRequest,
    InspectRequest,
    JobState,
    NotebookInfo,
    QueueEntry,
)
from jupyter_dlsys.contract.preflight import PreflightReport

WAIT_SECONDS = 0.5
LOG_PIECE = 1 << 20


class Jobs(Resource):
    """Jobs of a project."""

    def list(
        self, state: JobState | Sequence[JobState] | None = None, limit: int | None = None
    ) -> Listing[Job]:
        """Jobs, newest first; only those in one of these states."""
        states = [state] if isinstance(state, str) else list(state or ())
        return self._all(Job, self._path("jobs"), {"state": states}, limit)

    def submit(  # noqa: PLR0913  one door for all that a job may be given
        self,
        path: str | Path,
        *,
        inputs: Mapping[str, str | Mapping[str, Any] | InputRequest] | None = None,
        parameters: Mapping[str, Any] | None = None,
        name: str = "",
        cpus: float = 1,
        gpus: int = 0,
        gpu_share: float = 1,
        memory: str | int | None = None,
        max_memory: str | int | None = None,
        priority: int = 0,
        timeout: float | None = None,
        retries: int = 2,
        after: str | Job | Sequence[str | Job] = (),
        variables: Mapping[str, str] | None = None,
        cold: bool = False,
        capture_environment: bool = True,
        preflight: bool = False,
    ) -> Job:
        """Queue a notebook or a .py file as a job, with its local modules and environment lock.

        Args:
            path: the notebook or script; it may change afterwards, the job does not.
            inputs: dataset for each name of the job, {"data": "tweets@v1"}, or with more:
                {"data": {"dataset": "tweets@v1", "split": {"train": 0.8, "val": 0.2}}}.
            parameters: values for the names assigned in the cell tagged `parameters`.
            name: for people; the file's name when left out.
            cpus, gpus: slots it takes; `gpu_share` below 1 takes a part of one GPU's memory.
            memory, max_memory: hard limit ("4G" or bytes); a retry may go up to the second.
            priority: higher ones start first.
            timeout: seconds after which it is ended.
            retries: more attempts when the worker is lost; errors of the code are final.
            after: jobs that have to succeed first.
            variables: environment variables of the job.
            cold: start a fresh process even where a warm one waits.
            capture_environment: record the installed packages of this interpreter.
            preflight: look first, and warn.

        Raises:
            PreflightFailed: the look found an error (only with `preflight`).
        """
        given = {k: v for k, v in locals().items() if k not in ("self", "preflight")}
        body = submission(**given)
        if preflight:
            look_first(self._connection, body)
        return self._connection.send(Job, "POST", self._path("jobs"), body, key=new_key())

    def preflight(self, path: str | Path, **given: Any) -> PreflightReport:
        """What would go wrong with a submission; nothing is kept or run.

        Takes the arguments of `submit`.
        """
        return look(self._connection, submission(path, **given))

    def inspect(self, path: str | Path) -> NotebookInfo:
        """Parameters, inputs and imports of a notebook or script, without running it."""
        body = InspectRequest(source=read_source(Path(path).expanduser()))
        return self._connection.send(NotebookInfo, "POST", self._path("notebooks", "inspect"), body)

    def show(self, job: str | Job) -> Job:
        """One job as it is now."""
        return self._connection.get(Job, self._path("jobs", _id(job)))

    def queue(self, limit: int = 500) -> Listing[QueueEntry]:
        """Jobs that wait, in the order in which they will start, and why they wait."""
        path = self._path("queue")
        return Listing(self._connection.get(list[QueueEntry], path, {"limit": limit}))

    def cancel(self, job: str | Job) -> Job:
        """Stop a job; one that has ended stays as it is."""
        return self._connection.send(
            Job, "POST", self._path("jobs", _id(job), "cancel"), key=new_key()
        )

    def retry(self, job: str | Job) -> Job:
        """Run a job that has ended again: a new job with the same source, inputs and parameters.

        It finds the last `dlsys.checkpoint(...)` of the old one.
        """
        return self._connection.send(
            Job, "POST", self._path("jobs", _id(job), "retry"), key=new_key()
        )

    def usage(self, job: str | Job) -> JobUsage:
        """CPU, memory and GPU use of a job over time, and hints on what it says."""
        return self._connection.get(JobUsage, self._path("jobs", _id(job), "usage"))

    def events(self, job: str | Job, since: int = 0, limit: int = 1000) -> Listing[Event]:
        """What happened to a job after `since`, oldest first."""
        path = self._path("jobs", _id(job), "events")
        query = {"since": since, "limit": limit}
        return Listing(self._connection.get(list[Event], path, query))

    def watch(self, job: str | Job, since: int = 0) -> Iterator[Event]:
        """Events of a job as they happen, from the first on, until it has ended.

        Goes on over broken lines and restarts of the platform; each event comes once, in order.
        """
        path = self._path("jobs", _id(job), "events")
        stream = follow(
            self._connection, path, {"stream": True}, since, ended=lambda: self.show(job).ended
        )
        for event in stream:
            since = event.seq
            yield event
            if event.topic == "job.changed" and event.payload.get("state") in TERMINAL_STATES:
                return
        yield from self.events(job, since)

    def wait(self, job: str | Job, timeout: float | None = None, *, check: bool = True) -> Job:
        """Wait for a job to end.

        Raises:
            JobFailed: it did not succeed (only with `check`).
            TimedOut: it has not ended after `timeout` seconds; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not (found := self.show(job)).ended:
            if end is not None and time.monotonic() > end:
                raise TimedOut(
                    f"Job {found.name} has not ended after {timeout:g} seconds: "
                    f"{state_in_words(found)}",
                    hint=f"It goes on; `dlsys jobs watch {found.id}` follows it.",
                )
            time.sleep(WAIT_SECONDS)
        if check and not found.succeeded:
            raise JobFailed(
                f"Job {found.name} did not succeed. {state_in_words(found)}",
                hint=f"`dlsys jobs logs {found.id}` shows its log.",
            )
        return found

    def log(self, job: str | Job, offset: int = 0) -> str:
        """The log from a byte offset on, as far as it is written."""
        return "".join(text for text, _ in self.log_pieces(job, offset))

    def log_pieces(self, job: str | Job, offset: int = 0) -> Iterator[tuple[str, int]]:
        """The log piece by piece, each with the offset where the next one begins."""
        path = self._path("jobs", _id(job), "log")
        while True:
            answer = self._connection.request("GET", path, params={"offset": offset})
            following = int(answer.headers.get("x-next-offset", offset))
            if following <= offset:
                return
            offset = following
            yield answer.text, offset

    def notebook(self, job: str | Job, to: str | Path | None = None) -> dict[str, Any] | Path:
        """The executed notebook as far as it got: nbformat JSON, or a file at `to`."""
        path = self._path("jobs", _id(job), "notebook")
        if to is not None:
            return self._connection.download(path, Path(to))
        found: dict[str, Any] = json.loads(self._connection.request("GET", path).content)
        return found

    def artifacts(self, job: str | Job) -> Listing[Artifact]:
        """Files that the job left."""
        path = self._path("jobs", _id(job), "artifacts")
        return Listing(self._connection.get(list[Artifact], path))

    def artifact(self, job: str | Job, path: str, to: str | Path | None = None) -> bytes | Path:
        """One of these files: its bytes, or a file at `to`."""
        where = self._path("jobs", _id(job), "artifacts", *path.split("/"))
        if to is not None:
            return self._connection.download(where, Path(to))
        return self._connection.request("GET", where).content


def _id(job: str | Job) -> str:
    return job if isinstance(job, str) else job.id
