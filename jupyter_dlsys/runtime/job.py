"""The job as its process sees it: `job.json` of its own folder in the attempt."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


class JobError(Exception):
    """The job ends with this.  It becomes `error.json`, from which the supervisor takes the
    reason (`user-error`, `launch-failed`, `killed`) and the words of the verdict."""

    def __init__(
        self,
        message: str,
        *,
        ename: str,
        evalue: str = "",
        cell: int | None = None,
        reason: Literal["user-error", "launch-failed", "killed", "crashed"] = "user-error",
        exit_code: int = 1,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.ename = ename
        self.evalue = evalue
        self.cell = cell
        self.reason = reason
        self.exit_code = exit_code

    def as_dict(self) -> dict[str, Any]:
        return {
            "ename": self.ename,
            "evalue": self.evalue[:5000],
            "cell": self.cell,
            "message": self.message[:5000],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Job:
    """`source` is relative to `folder`, which belongs to the job's own account."""

    folder: Path
    kind: Literal["notebook", "script"]
    source: str
    parameters: dict[str, Any] = field(default_factory=dict)
    kernel_name: str | None = None
    autosave_seconds: float = 30
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    grace: float = 10
    start: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Job:
        job = json.loads((folder / "job.json").read_text())
        if job["kind"] not in ("notebook", "script"):
            raise ValueError(f"job.json: kind {job['kind']!r} is neither notebook nor script")
        return cls(
            folder=folder,
            kind=job["kind"],
            source=job["source"],
            parameters=job.get("parameters") or {},
            kernel_name=job.get("kernel_name"),
            autosave_seconds=job.get("autosave_seconds", 30),
            inputs=job.get("inputs") or {},
            grace=job.get("grace", 10),
            start={"mode": "cold", "reason": os.environ.pop("DLSYS_WHY_COLD", "")},
        )

    @property
    def source_path(self) -> Path:
        return self.folder / self.source

    @property
    def work(self) -> Path:
        """Working directory of the user's code."""
        return self.folder / "work"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"
