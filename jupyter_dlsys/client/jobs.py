"""Jobs: submit, watch, read what they leave."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.connection import new_key
from jupyter_dlsys.client.errors import JobFailed, TimedOut, UsageError
from jupyter_dlsys.client.modules import local_modules, read_source
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Job
from jupyter_dlsys.client.streams import follow
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.client.words import state as state_in_words
from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.environment import environment_lock
from jupyter_dlsys.contract.jobs import (
    TERMINAL_STATES,
    Artifact,
    InputRequest,
    InspectRequest,
    JobState,
    NotebookInfo,
    Resources,
    SubmitRequest,
)

SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
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
        memory: str | int | None = None,
        priority: int = 0,
        timeout: float | None = None,
        capture_environment: bool = True,
    ) -> Job:
        """Queue a notebook or a .py file as a job.

        The file, the local modules that it imports and the lock of this environment are read now
        and kept with the job, so they may change afterwards.

        Args:
            path: the notebook or script.
            inputs: dataset for each name of the job, e.g. {"data": "tweets@v1"}, or with more:
                {"data": {"dataset": "tweets@v1", "split": {"train": 0.8, "val": 0.2}}}.
            parameters: values for the names assigned in the cell tagged `parameters`.
            name: for people; the file's name when left out.
            cpus: slots it takes.
            gpus: GPUs that it gets for itself.
            memory: hard limit in bytes, or as text: "4G".
            priority: higher ones start first.
            timeout: seconds after which it is ended.
            capture_environment: record the installed packages of this interpreter.
        """
        source = Path(path).expanduser()
        body = checked(
            SubmitRequest,
            source=read_source(source),
            modules=local_modules(source),
            name=name,
            parameters=dict(parameters or {}),
            inputs={key: _input(value) for key, value in (inputs or {}).items()},
            resources=checked(Resources, cpus=cpus, gpus=gpus, memory_bytes=memory_bytes(memory)),
            priority=priority,
            timeout_seconds=timeout,
            environment=environment_lock() if capture_environment else None,
        )
        return self._connection.send(Job, "POST", self._path("jobs"), body, key=new_key())

    def inspect(self, path: str | Path) -> NotebookInfo:
        """Parameters, inputs and imports of a notebook or script, without running it."""
        body = InspectRequest(source=read_source(Path(path).expanduser()))
        return self._connection.send(NotebookInfo, "POST", self._path("notebooks", "inspect"), body)

    def show(self, job: str | Job) -> Job:
        """One job as it is now."""
        return self._connection.get(Job, self._path("jobs", _id(job)))

    def cancel(self, job: str | Job) -> Job:
        """Stop a job; one that has ended stays as it is."""
        return self._connection.send(
            Job, "POST", self._path("jobs", _id(job), "cancel"), key=new_key()
        )

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
            if event.topic.startswith("job.") and event.payload.get("state") in TERMINAL_STATES:
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


def _input(value: str | Mapping[str, Any] | InputRequest) -> InputRequest:
    if isinstance(value, InputRequest):
        return value
    return checked(InputRequest, **({"dataset": value} if isinstance(value, str) else dict(value)))


def memory_bytes(value: str | int | None) -> int | None:
    """Bytes of '512M', '4G', '1.5 GiB' (powers of 1024) or a plain number."""
    if value is None or isinstance(value, int):
        return value
    found = SIZE.match(value.strip())
    if not found:
        raise UsageError(f"'{value}' is not an amount of memory.", hint="Write it like 512M or 4G.")
    return int(float(found[1]) * 1024 ** POWERS[found[2].lower()])
