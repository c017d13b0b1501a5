"""What jobs have written: log, notebook, files, use of the machine."""

from __future__ import annotations

import json
from pathlib import Path

from dlsys_server.core.database import Database
from dlsys_server.core.errors import NotFound
from dlsys_server.core.places import Places
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.jobs import TERMINAL_STATES, Artifact
from jupyter_dlsys.contract.system import JobUsage

from .compute import Compute
from .finding import find_job
from .keeping import Keeper
from .tables import JobRow

LOG_WINDOW = 2**20


class JobReading:
    """The reading half of TrainingService. While a job runs, what it wrote lies where it runs."""

    database: Database
    store: ObjectStore
    places: Places
    keeper: Keeper
    compute: Compute

    def log(self, project: str, job_id: str, offset: int) -> tuple[str, int]:
        """At most 1 MB of the log from a byte offset, and the offset after it."""
        with self.database.read() as session:
            job = find_job(session, project, job_id)
        if job.log_sha:
            data = self.keeper.read(job.log_sha)[offset : offset + LOG_WINDOW]
        else:
            self._need_home_of(job)
            data = _window(self.keeper.attempts.folder(job) / "log", offset)
        data = _whole_characters(data)
        return data.decode("utf-8", "replace"), offset + len(data)

    def notebook(self, project: str, job_id: str) -> bytes:
        """The executed notebook so far; the source as submitted before it starts."""
        with self.database.read() as session:
            job = find_job(session, project, job_id)
        if job.notebook_sha:
            return self.keeper.read(job.notebook_sha)
        self._need_home_of(job)
        if live := self.keeper.live_notebook(job):
            return live
        if job.kind == "script":
            raise NotFound(
                f"{job.source} is a script; it has no notebook.", hint="Read its log instead."
            )
        files: dict[str, str] = json.loads(self.store.get(job.bundle_sha))["files"]
        return files[job.source].encode()

    def artifacts(self, project: str, job_id: str) -> list[Artifact]:
        """Files that the job left, or has written so far."""
        with self.database.read() as session:
            job = find_job(session, project, job_id)
        if job.state in TERMINAL_STATES:
            return [Artifact(path=a["path"], bytes=a["bytes"]) for a in job.artifacts]
        self._need_home_of(job)
        return [Artifact(path=path, bytes=size) for path, size in self.keeper.live_outputs(job)]

    def artifact(self, project: str, job_id: str, path: str) -> Path:
        """One of these files on this machine.

        Raises:
            NotFound: the job left no such file.
        """
        with self.database.read() as session:
            job = find_job(session, project, job_id)
        for kept in job.artifacts:
            if kept["path"] == path:
                return self.keeper.local(kept["sha256"])
        self._need_home_of(job)
        if live := self.keeper.live_output(job, path):
            return live
        raise NotFound(
            f"The job left no file '{path}'.", hint="`dlsys jobs artifacts ID` lists its files."
        )

    def usage(self, project: str, job_id: str) -> JobUsage:
        """What a job used over time, and what that says."""
        with self.database.read() as session:
            job = find_job(session, project, job_id)
        if job.state not in TERMINAL_STATES:
            self._need_home_of(job)
            self.places.need_main()  # it has the newest look
        return self.compute.usage(job)

    def _need_home_of(self, job: JobRow) -> None:
        """What a job has written so far lies where it runs.

        Raises:
            Elsewhere: that is another home.
        """
        if job.state not in TERMINAL_STATES and job.state != "queued":
            self.places.need(job.worker)


def _window(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(LOG_WINDOW)
    except FileNotFoundError:
        return b""


def _whole_characters(data: bytes) -> bytes:
    """Without a UTF-8 character that a window's end cut in two."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
            return data[:-back] if length > back else data
    return data
