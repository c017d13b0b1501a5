"""Options that several commands share, how their values are read, and what completes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_dlsys.cli import session

if TYPE_CHECKING:
    from jupyter_dlsys.client.client import Client

NAMES_TRUE_FALSE = {"true": True, "false": False, "none": None, "null": None}
READERS: tuple[Callable[[str], Any], ...] = (int, float, json.loads)
SPLIT_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}


def _completer(find: Callable[[Client], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        """Never starts a platform, never fails: completion is a help, not a command."""
        try:
            known = _running_client()
            found = find(known) if known else ()
            return [name for name in found if name.startswith(incomplete)]
        except Exception:  # noqa: BLE001
            return []

    return complete


def _running_client() -> Client | None:
    from jupyter_dlsys.client import embedded

    known = session.client()
    home = known.connection.where.home
    return known if home is None or embedded.running(home, timeout=0.5) else None


complete_dataset = _completer(lambda c: [d.name for d in c.datasets.list(limit=200)])
complete_reference = _completer(
    lambda c: [
        name
        for d in c.datasets.list(limit=200)
        for name in (d.name, *(f"{d.name}@{tag}" for tag in d.tags), f"{d.name}@v{d.version}")
    ]
)
complete_job = _completer(lambda c: [job.id for job in c.jobs.list(limit=50)])
complete_run = _completer(lambda c: [run.run_id for run in c.runs.list(limit=50)])
complete_model = _completer(lambda c: [model.name for model in c.models.list(limit=200)])
complete_model_reference = _completer(
    lambda c: [
        name
        for m in c.models.list(limit=200)
        for name in (m.name, *(f"{m.name}@{alias}" for alias in m.aliases))
    ]
)
complete_schedule = _completer(lambda c: [found.id for found in c.schedules.list(limit=50)])
complete_endpoint = _completer(lambda c: [d.name for d in c.deployments.list(limit=200)])


def complete_input(incomplete: str) -> list[str]:
    """`-d data=TWE…`: the reference after the equals sign."""
    name, equals, ref = incomplete.partition("=")
    return [f"{name}={found}" for found in complete_reference(ref)] if equals else []


AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")]
DatasetName = Annotated[
    str, typer.Argument(metavar="NAME", help="Dataset.", autocompletion=complete_dataset)
]
DatasetRef = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@REF]",
        help="Dataset, with @v3, @TAG or @sha256:… for one version.",
        autocompletion=complete_reference,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id.", autocompletion=complete_job)]
ScheduleId = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="Id.", autocompletion=complete_schedule)
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id.", autocompletion=complete_run)]
ModelName = Annotated[
    str, typer.Argument(metavar="NAME", help="Model.", autocompletion=complete_model)
]
ModelRef = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@REF]",
        help="Model, with @v3 or @ALIAS for one version.",
        autocompletion=complete_model_reference,
    ),
]
EndpointName = Annotated[
    str, typer.Argument(metavar="NAME", help="Endpoint.", autocompletion=complete_endpoint)
]
TagPairs = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="K=V", help="Tag; repeat for more.")
]
Where = Annotated[
    str | None, typer.Option("--where", metavar="EXPR", help="Rows, e.g. \"label == 'happy'\".")
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="A,B", help="Only these columns.")
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split", metavar="PARTS", help="0.8,0.1,0.1 (train,val,test) or train=0.9,test=0.1."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the split.")]


def usage(message: str, hint: str = "") -> Exception:
    """The error of a wrong option, to be raised."""
    from jupyter_dlsys.client.errors import UsageError

    return UsageError(message, hint=hint)


def pairs(items: Iterable[str] | None, option: str) -> dict[str, str]:
    """'k=v' texts as a dict."""
    found: dict[str, str] = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise usage(f"{option} {item}: this is not NAME=VALUE.", f"Write {option} name=value.")
        found[name] = value
    return found


def value_of(text: str) -> Any:
    """A parameter's value: a number, true, false, none, JSON, else the text itself."""
    if text.lower() in NAMES_TRUE_FALSE:
        return NAMES_TRUE_FALSE[text.lower()]
    return next((value for read in READERS if (value := _try(read, text)) is not None), text)


def _try(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        return None


def split_of(text: str | None) -> dict[str, float] | None:
    """'0.8,0.2' or 'train=0.8,test=0.2' as fractions by name."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not any("=" in part for part in parts):
        names = SPLIT_NAMES.get(len(parts))
        if names is None:
            raise usage(
                f"--split {text}: {len(parts)} parts have no usual names.",
                "Name them: --split a=0.4,b=0.3,c=0.2,d=0.1",
            )
        parts = [f"{name}={part}" for name, part in zip(names, parts, strict=True)]
    try:
        return {name: float(value) for name, value in pairs(parts, "--split").items()}
    except ValueError:
        raise usage(f"--split {text}: a part is no number.", "Write --split 0.8,0.2") from None


def columns_of(text: str | None) -> list[str] | None:
    """'a,b' as a list."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def reference(text: str) -> tuple[str, str]:
    """'name@ref' in two; the second is '' when left out."""
    name, _, ref = text.partition("@")
    return name, ref
