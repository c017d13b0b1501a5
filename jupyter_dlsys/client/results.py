"""What the SDK gives back: the contract's models, able to show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import ClassVar

from jupyter_dlsys.client import words
from jupyter_dlsys.client.views import Shown, pairs_html, table_html
from jupyter_dlsys.contract import datasets, deployments, jobs, runs, schedules, tokens


class Dataset(Shown, datasets.Dataset):
    """A dataset and its newest version."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "kind",
        "version",
        "rows",
        "labels",
        "tags",
        "bytes",
        "updated_at",
    )


class Version(Shown, datasets.Version):
    """One immutable version of a dataset."""

    shown: ClassVar[Sequence[str]] = (
        "dataset",
        "version",
        "message",
        "operation",
        "rows",
        "rows_added",
        "rows_removed",
        "labels",
        "tags",
        "names",
        "author",
        "created_at",
        "hash",
    )

    def _repr_html_(self) -> str:
        columns = [{"column": c.name, "type": c.type, "role": c.role} for c in self.columns]
        return super()._repr_html_() + table_html(columns)

    def _title(self) -> str:
        return f"{self.dataset}@v{self.version}"


class VersionSummary(Shown, datasets.VersionSummary):
    """A line of a dataset's history."""

    shown: ClassVar[Sequence[str]] = (
        "version",
        "message",
        "operation",
        "rows",
        "rows_added",
        "rows_removed",
        "tags",
        "names",
        "author",
        "created_at",
        "hash",
    )


class Rows(datasets.Rows):
    """A window of rows."""

    def _repr_html_(self) -> str:
        rows = [
            "<tr>" + "".join(_cell(row.get(c.name)) for c in self.columns) + "</tr>"
            for row in self.rows
        ]
        head = "".join(f"<th>{escape(c.name)}</th>" for c in self.columns)
        first = self.offset + 1 if self.rows else 0
        about = f"rows {first} to {self.offset + len(self.rows)} of {self.total}"
        return (
            f"<div>{about}<table><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )


def _cell(value: object) -> str:
    if isinstance(value, str) and value.startswith("data:image/"):
        return f'<td><img alt="" style="max-height:64px" src="{escape(value)}"></td>'
    text = "" if value is None else str(value)
    return f"<td>{escape(text if len(text) <= 300 else text[:300] + '…')}</td>"


class Diff(Shown, datasets.Diff):
    """What changed between two versions."""

    shown: ClassVar[Sequence[str]] = (
        "rows_added",
        "rows_removed",
        "schema_changes",
        "label_changes",
    )

    def _title(self) -> str:
        return f"{self.dataset}: v{self.base} → v{self.target}"


class Snapshot(Shown, datasets.Snapshot):
    """Frozen training input."""

    shown: ClassVar[Sequence[str]] = (
        "dataset",
        "version",
        "rows",
        "labels",
        "hash",
        "created_at",
        "created_by",
    )

    def _repr_html_(self) -> str:
        splits = {s.name: f"{s.rows:,} rows" for s in self.splits}
        return super()._repr_html_() + pairs_html("Splits", splits)


class Job(Shown, jobs.Job):
    """A job."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "id",
        "state",
        "reason",
        "source",
        "parameters",
        "inputs",
        "metrics",
        "models",
        "created_at",
    )

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return self.state in jobs.TERMINAL_STATES

    @property
    def succeeded(self) -> bool:
        """Whether it is over and went well."""
        return self.state == "succeeded"

    def _title(self) -> str:
        took = words.elapsed(self)
        after = f" · {words.seconds(took)}" if took is not None else ""
        return f"Job {self.name}: {words.state(self)}{after}"


class Run(Shown, runs.Run):
    """An MLflow run with the job that made it."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "run_id",
        "experiment",
        "status",
        "metrics",
        "parameters",
        "job",
        "started_at",
    )


class ModelVersion(Shown, runs.ModelVersion):
    """One version of a registered model."""

    shown: ClassVar[Sequence[str]] = (
        "model",
        "version",
        "aliases",
        "metrics",
        "parameters",
        "job",
        "run_id",
        "created_at",
        "contract",
    )


class Model(Shown, runs.Model):
    """A registered model."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "latest",
        "aliases",
        "deployments",
        "description",
        "updated_at",
    )

    def _repr_html_(self) -> str:
        rows = [
            {
                "version": v.version,
                "aliases": v.aliases,
                "metrics": v.metrics,
                "created_at": v.created_at,
            }
            for v in self.versions
        ]
        return super()._repr_html_() + (table_html(rows) if rows else "")


class Lineage(runs.Lineage):
    """A part of the graph around a thing."""

    def _repr_html_(self) -> str:
        names = {node.id: f"{node.type.replace('_', ' ')} {node.name}" for node in self.nodes}
        rows = [
            {"from": names.get(e.source, e.source), "": e.kind, "to": names.get(e.target, e.target)}
            for e in self.edges
        ]
        return table_html(rows) if rows else "<div>Nothing came before it, nothing after.</div>"


class Deployment(Shown, deployments.Deployment):
    """An endpoint and what it serves."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "model",
        "version",
        "state",
        "message",
        "url",
        "statistics",
        "updated_at",
    )


class Prediction(Shown, deployments.Prediction):
    """Outputs by name, with the version that made them."""

    shown: ClassVar[Sequence[str]] = ("outputs", "model_version", "request_id", "milliseconds")


class Schedule(Shown, schedules.Schedule):
    """A notebook or script that is submitted again and again."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "id",
        "words",
        "source",
        "paused",
        "next",
        "missed",
        "overlap",
        "parameters",
        "inputs",
    )

    @property
    def next(self) -> list[str]:
        """The next five times on the clock of its zone."""
        return [words.moment(due, self.timezone) for due in self.next_times]

    def _title(self) -> str:
        return f"Schedule {self.name}: {self.words}{' (paused)' if self.paused else ''}"


class Firing(Shown, schedules.Firing):
    """A time that came, and what came of it."""

    shown: ClassVar[Sequence[str]] = ("due_at", "state", "job", "job_state", "reason")


class ServiceToken(Shown, tokens.ServiceToken):
    """A program's token, without its secret."""

    shown: ClassVar[Sequence[str]] = (
        "name",
        "id",
        "owner",
        "scopes",
        "endpoint",
        "state",
        "expires_at",
        "last_used_at",
    )
