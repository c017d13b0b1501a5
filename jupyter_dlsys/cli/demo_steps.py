"""The five steps of the lab, each by the person whose work it is."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.cli import demo_data
from jupyter_dlsys.cli.demo_program import Program, Traffic, replay
from jupyter_dlsys.cli.demo_summary import Data, NewLabel, Said, Step, Summary, Trained
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.client.words import number, short

if TYPE_CHECKING:
    from jupyter_dlsys.cli.demo_show import Show
    from jupyter_dlsys.client.client import Client
    from jupyter_dlsys.client.results import Job

TEXT_NOTEBOOK, IMAGE_NOTEBOOK = "train_text.ipynb", "train_image.ipynb"
NOTEBOOKS = (TEXT_NOTEBOOK, IMAGE_NOTEBOOK)
SPLIT = {"train": 0.8, "test": 0.2}
MARGIN = 0.2
"""How much better than the majority baseline a model has to be."""
SHARE_KNOWN = 0.5
"""Of unseen texts with the new label, how many the second model has to recognise."""
EXAMPLES, SHORT = 3, (5, 12)
UNSEEN = 200
DEPLOY_SECONDS, FLIP_SECONDS, START_SECONDS = 240.0, 240.0, 90.0
AFTERWARDS = 1.0


class StepFailed(DlsysError):
    """A check of the demo did not hold."""

    code, exit_code = "demo-failed", 1


class Lab:
    """The lab on one workspace. Call the steps in order; each raises when something is wrong."""

    def __init__(self, client: Client, workspace: Path, show: Show, summary: Summary) -> None:
        self.client, self.workspace = client, workspace
        self.show, self.summary = show, summary
        self.name, self.pictures = "kaomoji", "digits"
        self.program: Program | None = None

    # -- 1

    def system_up(self) -> None:
        """The platform answers, and all of its parts are well."""
        end = time.monotonic() + START_SECONDS
        while True:
            health = self.client.system.health()
            coming = [part.name for part in health.parts if part.state == "starting"]
            if not coming or time.monotonic() > end:
                break
            time.sleep(0.2)
        parts = [[part.name, part.state, part.message] for part in health.parts]
        self.show.table(["part", "state", ""], parts)
        self.check(
            health.state == "ok" and not coming,
            f"The platform {health.version} is well, at {self.client.url}",
            f"`dlsys --home {self.summary.home} doctor` looks for the cause.",
        )
        self._new_names()

    def _new_names(self) -> None:
        """Names that no earlier run used; endpoints of earlier runs give their memory back."""
        taken = {d.name for d in self.client.datasets.list()}
        taken |= {m.name for m in self.client.models.list()}
        for endpoint in self.client.deployments.list():
            if re.fullmatch(rf"{self.name}(-\d+)?", endpoint.name):
                self.client.deployments.undeploy(endpoint.name)
                self.show.say(f"Endpoint {endpoint.name} of an earlier run is taken down", "dim")
        names = ("kaomoji", "digits")
        suffix = next(s for s in _suffixes() if not {n + s for n in names} & taken)
        self.name, self.pictures = (n + suffix for n in names)

    # -- 2

    def commit_data(self) -> None:
        """The data engineer's work: texts and pictures become versioned datasets."""
        file = self.workspace / "kaomoji.jsonl"
        count = demo_data.write_kaomoji(demo_data.FIRST_LABELS, file)
        self.client.datasets.create(
            self.name, "text-classification", description=demo_data.ATTRIBUTION
        )
        made = self._commit(self.name, file, "Happy, sad and angry kaomoji", "1")
        self.client.datasets.tag(self.name, "three-labels", made.version)
        self.check(
            made.version == 1 and made.rows == count,
            f"{self.name}@v1: {number(made.rows)} texts labelled {', '.join(made.labels)}, "
            f"{short(made.hash)}",
            "Not all rows of the file are in the version; the file is " + str(file),
        )
        folder = self.workspace / "digits"
        count = demo_data.write_digits(folder)
        self.client.datasets.create(
            self.pictures, "image-classification", description=demo_data.DIGITS_ATTRIBUTION
        )
        pictures = self._commit(self.pictures, folder, "Handwritten digits, 8x8 pixels", "1")
        self.check(
            pictures.rows == count,
            f"{self.pictures}@v1: {number(pictures.rows)} pictures, {short(pictures.hash)}",
            "Not all pictures of the folder are in the version: " + str(folder),
        )
        self.show.say(demo_data.ATTRIBUTION, "dim")
        self.show.say(demo_data.DIGITS_ATTRIBUTION, "dim")

    def _commit(self, name: str, source: Path, message: str, part: str) -> Data:
        texts = name == self.name
        about = demo_data.ATTRIBUTION if texts else demo_data.DIGITS_ATTRIBUTION
        made = self.client.datasets.commit(
            name,
            source,
            message=f"{message}\n\n{about}",
            tags={
                "source": "kaomoji-dataset" if texts else "scikit-learn",
                "license": "CC-BY-4.0",
                "part": part,
            },
        )
        self.summary.datasets.append(Data.of(made))
        return self.summary.datasets[-1]

    # -- 3

    def train(self) -> None:
        """The data scientist's work: both notebooks run as jobs and register models."""
        jobs = [
            self._submit(TEXT_NOTEBOOK, f"{self.name}@v1", self.name),
            self._submit(IMAGE_NOTEBOOK, f"{self.pictures}@v1", self.pictures),
        ]
        ended = self.show.follow(self.client, jobs)
        for job, model in zip(ended, (self.name, self.pictures), strict=True):
            self._trained(job, model, 1)
        self._promote(self.name, 1)

    def _submit(self, notebook: str, dataset: str, model: str) -> Job:
        return self.client.jobs.submit(
            self.workspace / notebook,
            inputs={"data": {"dataset": dataset, "split": SPLIT, "seed": 0}},
            parameters={"model_name": model},
            name=f"{Path(notebook).stem} on {dataset}",
        )

    def _trained(self, job: Job, model: str, version: int) -> Trained:
        self.check(
            job.succeeded,
            f"Job {job.name} succeeded",
            f"`dlsys --home {self.summary.home} jobs logs {job.id}` shows its log. {job.reason}",
        )
        self.check(
            job.models == [f"{model}@v{version}"],
            f"It registered the model {model}@v{version}",
            f"It registered {', '.join(job.models) or 'nothing'}; see the last cell of its "
            "notebook.",
        )
        made = Trained.of(job, model, version)
        self.summary.models.append(made)
        self.check(
            made.accuracy > made.baseline + MARGIN,
            f"Accuracy {made.accuracy:.3f}, majority baseline {made.baseline:.3f}, "
            f"macro-F1 {made.macro_f1:.3f}",
            "The model learned too little; look at the curves of the job.",
        )
        return made

    def _promote(self, model: str, version: int) -> None:
        found = self.client.models.promote(model, version, "champion")
        self.check(
            found.aliases.get("champion") == version,
            f"{model}@champion is version {version} now",
            "Promote it by hand in the model's tab.",
        )

    # -- 4

    def serve(self) -> None:
        """The application developer's work: an endpoint, a token, a program."""
        found = self.client.deployments.deploy(f"{self.name}@champion", wait=DEPLOY_SECONDS)
        self.summary.endpoint.name, self.summary.endpoint.url = found.name, found.url
        self.check(
            found.state == "ready" and found.version == 1,
            f"Endpoint {found.url} answers with version 1",
            found.message,
        )
        token = self.client.tokens.issue("demo-program", endpoint=found.name, lifetime_days=1)
        self.program = Program(found.url, token.token)
        examples = self._examples(f"{self.name}@v1", demo_data.FIRST_LABELS)
        said = self.program.ask([text for text, _ in examples]).labels
        for (text, true), label in zip(examples, said, strict=True):
            self.summary.answers.append(Said(text, true, label))
        self._golden(1)

    def _golden(self, version: int) -> None:
        """The notebook's own predictions, which its job left as a file, asked of the endpoint."""
        made = next(m for m in self.summary.models if m.name == self.name and m.version == version)
        content = self.client.jobs.artifact(made.job, "golden.json")
        golden: dict[str, Any] = json.loads(content) if isinstance(content, bytes) else {}
        found = replay(self._program(), golden)
        self.summary.endpoint.replayed(version, found)
        self.check(
            found.examples > 0 and found.matched == found.examples,
            f"{found.matched} of {found.examples} golden examples: version {version} answers as "
            f"its notebook did, within {found.max_difference:.0e}",
            "What is served differs from what was trained; compare the model's contract with "
            "the notebook.",
        )

    def _program(self) -> Program:
        if self.program is None:
            raise StepFailed("There is no program yet.", hint="Run the steps in order.")
        return self.program

    def _examples(self, dataset: str, labels: Iterable[str]) -> list[tuple[str, str]]:
        """Short unseen texts of these labels in turn."""
        by_label = {label: self._unseen(dataset, label) for label in labels}
        return [(text, label) for label, texts in by_label.items() for text in _short(texts)]

    def _unseen(self, dataset: str, label: str) -> list[str]:
        """Test rows of the snapshot that the job was trained on."""
        from jupyter_dlsys.client.inputs import dataset as read

        rows = read(dataset, split=SPLIT, seed=0, client=self.client).split("test").to_arrow()
        return [row["text"] for row in rows.to_pylist() if row["label"] == label]

    # -- 5

    def second_round(self) -> None:
        """A new label: new data version, new model version, and the endpoint follows."""
        file = self.workspace / "kaomoji-surprised.jsonl"
        demo_data.write_kaomoji([demo_data.NEW_LABEL], file)
        made = self._commit(self.name, file, "Surprised kaomoji", "2")
        self._show_diff(made)
        job = self._submit(TEXT_NOTEBOOK, f"{self.name}@v2", self.name)
        self._trained(self.show.follow(self.client, [job])[0], self.name, 2)
        unseen = self._unseen(f"{self.name}@v2", demo_data.NEW_LABEL)[:UNSEEN]
        self.summary.new_label = NewLabel(demo_data.NEW_LABEL, len(unseen))
        self.summary.new_label.before = self._recognised(unseen)
        new = _short(unseen)
        for text, label in zip(new, self._program().ask(new).labels, strict=True):
            self.summary.answers.append(Said(text, demo_data.NEW_LABEL, label))
        self._flip()
        self._look_again(unseen)
        self._golden(2)
        self._lineage()

    def _show_diff(self, made: Data) -> None:
        found = self.client.datasets.diff(self.name, "v1", "v2")
        self.show.table(
            ["label", "v1", "v2"],
            [[c.label, number(c.before), number(c.after)] for c in found.label_changes],
            f"{self.name}: v1 → v2, {found.rows_added:+,} rows",
        )
        new = next((c for c in found.label_changes if c.label == demo_data.NEW_LABEL), None)
        self.check(
            made.version == 2
            and new is not None
            and (new.before, new.after) == (0, found.rows_added),
            f"{self.name}@v2: {number(made.rows)} texts, the new label is {demo_data.NEW_LABEL}",
            "The difference of the versions does not show the new label.",
        )

    def _recognised(self, texts: list[str]) -> int:
        found = [
            label
            for start in range(0, len(texts), 25)
            for label in self._program().ask(texts[start : start + 25]).labels
        ]
        return found.count(demo_data.NEW_LABEL)

    def _flip(self) -> None:
        """Move the alias under traffic."""
        with Traffic(self._program(), ["(^_^)", "(T_T)"]) as traffic:
            seen_before = traffic.saw(1, FLIP_SECONDS)
            self._promote(self.name, 2)
            seen_after = seen_before and traffic.saw(2, FLIP_SECONDS)
            time.sleep(AFTERWARDS)
        endpoint = self.summary.endpoint
        endpoint.requests, endpoint.failures = traffic.requests, traffic.failures
        endpoint.versions = traffic.versions
        state = self.client.deployments.show(self.name)
        self.check(
            seen_after and traffic.versions == [1, 2],
            "The endpoint followed the alias from version 1 to version 2",
            f"It is {state.state}: {state.message} (answered with {traffic.versions})",
        )
        self.check(
            not traffic.failures,
            f"{traffic.requests} requests meanwhile, 0 failed",
            f"{len(traffic.failures)} of {traffic.requests} failed: {traffic.failures[:3]}",
        )

    def _look_again(self, unseen: list[str]) -> None:
        said = self._program().ask([answer.text for answer in self.summary.answers]).labels
        for answer, label in zip(self.summary.answers, said, strict=True):
            answer.second = label
        new = self.summary.new_label or NewLabel(demo_data.NEW_LABEL, 0)
        new.after = self._recognised(unseen)
        self.check(
            new.texts > 0 and new.before == 0 and new.after >= SHARE_KNOWN * new.texts,
            f"Of {new.texts} unseen {new.label} texts, version 1 recognised {new.before}, "
            f"version 2 {new.after}",
            "The second model did not learn the new label; look at its confusion matrix.",
        )

    def _lineage(self) -> None:
        for version in (1, 2):
            name = f"{self.name}@v{version}"
            found = self.client.lineage.show(f"model/{name}", direction="up")
            self.summary.keep_lineage(name, found)
            self.show.lineage(found)
            wanted = f"/dataset_version/{name}"
            self.check(
                any(node.id.endswith(wanted) for node in found.nodes),
                f"Model {name} is known to come from dataset {name}",
                "The lineage has a gap; look at the model's lineage tab.",
            )

    # -- checks

    def check(self, held: bool, what: str, hint: str) -> None:
        """Note what held.

        Raises:
            StepFailed: it did not.
        """
        if not held:
            raise StepFailed(f"this does not hold: {what}.", hint=hint)
        self.summary.steps[-1].checks.append(what)
        self.show.held(what)

    def begin(self, name: str) -> Step:
        """The next step's entry in the summary."""
        self.summary.steps.append(Step(name))
        return self.summary.steps[-1]


def _short(texts: Iterable[str]) -> list[str]:
    """Some that fit in a table."""
    found = [text for text in texts if SHORT[0] <= len(text) <= SHORT[1]]
    return found[len(found) // (2 * EXAMPLES) :: max(1, len(found) // EXAMPLES)][:EXAMPLES]


def _suffixes() -> Iterable[str]:
    yield ""
    for count in range(2, 10_000):
        yield f"-{count}"


def copy_notebooks(examples: Path, workspace: Path) -> list[str]:
    """Fresh copies of the notebooks; an edited one of the workspace is kept under a new name."""
    kept = []
    for name in NOTEBOOKS:
        source, target = examples / name, workspace / name
        if target.exists() and target.read_bytes() != source.read_bytes():
            aside = next(
                path
                for suffix in _suffixes()
                if not (path := target.with_stem(f"{target.stem}-edited{suffix}")).exists()
            )
            target.replace(aside)
            kept.append(aside.name)
        shutil.copyfile(source, target)
    return kept
