"""What the demo found out, as a dict for programs and as tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.client.words import number, short

if TYPE_CHECKING:
    from jupyter_dlsys.cli.demo_program import Replay
    from jupyter_dlsys.cli.demo_show import Show
    from jupyter_dlsys.client.results import Job, Lineage, Version


@dataclass
class Step:
    """One step: how long it took and what was checked."""

    name: str
    seconds: float = 0.0
    checks: list[str] = field(default_factory=list)


@dataclass
class Data:
    """A committed dataset version."""

    name: str
    version: int
    hash: str
    rows: int
    labels: list[str]

    @classmethod
    def of(cls, made: Version) -> Data:
        """From what the platform answered."""
        return cls(made.dataset, made.version, made.hash, made.rows, list(made.labels))


@dataclass
class Trained:
    """A model version and how good it is on rows that it has not seen."""

    name: str
    version: int
    job: str
    dataset: str
    snapshot: str
    accuracy: float
    macro_f1: float
    baseline: float
    seconds: float | None

    @classmethod
    def of(cls, job: Job, model: str, version: int) -> Trained:
        """From a job that succeeded."""
        bound = job.inputs["data"]
        took = None
        if job.started_at and job.finished_at:
            took = (job.finished_at - job.started_at).total_seconds()
        return cls(
            name=model,
            version=version,
            job=job.id,
            dataset=f"{bound.dataset}@v{bound.version}",
            snapshot=bound.snapshot,
            accuracy=job.metrics["test_accuracy"],
            macro_f1=job.metrics["macro_f1"],
            baseline=job.metrics["baseline_accuracy"],
            seconds=took,
        )


@dataclass
class Said:
    """One text and what each version of the model said of it."""

    text: str
    true: str
    first: str
    second: str = ""


@dataclass
class NewLabel:
    """How many unseen texts with the new label were recognised, before and after."""

    label: str
    texts: int
    before: int = 0
    after: int = 0


@dataclass
class Endpoint:
    """The endpoint and what it went through."""

    name: str = ""
    url: str = ""
    golden: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def replayed(self, version: int, found: Replay) -> None:
        """Keep how golden examples came out."""
        self.golden.append({"version": version, **asdict(found)})


@dataclass
class Summary:
    """All of it."""

    workspace: str
    home: str
    ok: bool = False
    error: dict[str, Any] | None = None
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    datasets: list[Data] = field(default_factory=list)
    models: list[Trained] = field(default_factory=list)
    endpoint: Endpoint = field(default_factory=Endpoint)
    answers: list[Said] = field(default_factory=list)
    new_label: NewLabel | None = None
    lineage: dict[str, Any] = field(default_factory=dict)

    def keep_lineage(self, name: str, found: Lineage) -> None:
        """Nodes and edges of a model version."""
        self.lineage[name] = {
            "nodes": [node.id for node in found.nodes],
            "edges": [[edge.source, edge.kind, edge.target] for edge in found.edges],
        }

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def print(self, show: Show) -> None:
        """The short tables at the end."""
        show.table(
            ["dataset", "content", "rows", "labels"],
            [
                [f"{d.name}@v{d.version}", short(d.hash), number(d.rows), ", ".join(d.labels)]
                for d in self.datasets
            ],
            "Data",
        )
        show.table(
            ["model", "trained on", "snapshot", "accuracy", "macro-F1", "majority"],
            [
                [f"{m.name}@v{m.version}", m.dataset, short(m.snapshot, 8), f"{m.accuracy:.3f}",
                 f"{m.macro_f1:.3f}", f"{m.baseline:.3f}"]
                for m in self.models
            ],
            "Models on unseen rows, beside always saying the majority label",
        )  # fmt: skip
        show.table(
            ["text", "true", "v1 said", "v2 said"],
            [[a.text, a.true, a.first, a.second] for a in self.answers],
            f"Endpoint {self.endpoint.name}",
        )
        times = [[s.name, f"{s.seconds:.1f} s"] for s in self.steps]
        show.table(["step", "time"], [*times, ["all", f"{self.seconds:.1f} s"]], "Time")
