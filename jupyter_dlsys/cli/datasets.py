"""dlsys datasets …"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from jupyter_dlsys.cli import dataset_views, output, policies, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import (
    AsJson,
    Columns,
    DatasetName,
    DatasetRef,
    Limit,
    Seed,
    Split,
    TagPairs,
    Where,
    columns_of,
    pairs,
    reference,
    split_of,
    usage,
)

if TYPE_CHECKING:
    from jupyter_dlsys.contract.datasets import ExportFormat, Kind, Operation

app = typer.Typer(rich_markup_mode=None, help="Versioned data: commit, look at, compare, freeze.")
EMPTY = "No dataset yet. Make one: dlsys datasets commit NAME FILE -m 'first version'"
LIST = ["name", "kind", "version", "rows", "labels", "bytes:size", "updated_at:changed"]


class KindName(str, Enum):
    """Kinds of datasets."""

    text = "text-classification"
    image = "image-classification"
    tabular = "tabular"
    generic = "generic"


class FormatName(str, Enum):
    """File formats of an export."""

    arrow = "arrow"
    parquet = "parquet"
    csv = "csv"
    jsonl = "jsonl"


KindOption = Annotated[KindName | None, typer.Option("--kind", help="Kind of a new dataset.")]


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, as_json: AsJson = False) -> None:
    """Versioned data: commit, look at, compare, freeze. Alone: the list."""
    if context.invoked_subcommand is None:
        list_datasets(limit=50, shared=False, as_json=as_json)


@app.command("list")
@covers("datasets.list")
def list_datasets(
    limit: Limit = 50,
    shared: Annotated[
        bool, typer.Option("--shared", help="Those of other projects that you may read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Datasets, most recently changed first."""
    found = session.client().datasets.list(limit, shared=shared)
    if shared:
        empty = "No dataset of another project is shared with you."
        output.table(found, ["project", *LIST], as_json, empty=empty)
        return
    output.table(found, LIST, as_json, empty=EMPTY)


@app.command()
@covers("datasets.create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the new dataset.")],
    kind: KindOption = KindName.generic,
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an empty dataset."""
    chosen: Kind = kind.value if kind else "generic"
    made = session.client().datasets.create(name, chosen, description)
    output.say(made, as_json, f"Dataset {made.name} ({made.kind}) is there, and empty.")


@app.command()
@covers("datasets.commit", "uploads.create", "uploads.send", "uploads.show", "uploads.remove")
def commit(
    name: DatasetName,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE…", help="CSV, JSON Lines, Parquet, Arrow, or a folder of images by label."
        ),
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What this is about.")] = "",
    tag: TagPairs = None,
    replace: Annotated[bool, typer.Option("--replace", help="Instead of all rows.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the rows of --where.")] = False,
    where: Where = None,
    kind: KindOption = None,
    create: Annotated[bool, typer.Option(help="Make the dataset when it is new.")] = True,
    as_json: AsJson = False,
) -> None:
    """Append rows (or replace, or delete some): a new version, or nothing."""
    operation = _operation(replace, delete, files, where)
    with _UploadBar(as_json) as bar:
        made = session.client().datasets.commit(
            name,
            [str(f) for f in files] if files else None,
            message=message,
            tags=pairs(tag, "--tag"),
            operation=operation,
            where=where,
            kind=kind.value if kind else None,
            create=create,
            progress=bar.update,
        )
    what = f"{made.rows_added:,} rows added, {made.rows_removed:,} removed"
    output.say(made, as_json, f"{made.dataset}@v{made.version}: {what}, {made.rows:,} in all.")


def _operation(
    replace: bool, delete: bool, files: list[Path] | None, where: str | None
) -> Operation:
    if replace and delete:
        raise usage("--replace and --delete exclude each other.")
    if delete:
        if not where:
            raise usage("--delete needs to know which rows.", "Add --where \"label == 'spam'\".")
        return "delete"
    if not files:
        raise usage("There is no file to commit.", "dlsys datasets commit NAME FILE -m 'why'")
    return "replace" if replace else "append"


class _UploadBar:
    """A bar while files are sent, when somebody looks."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._bar, self._task = quiet or not session.interactive(), None, None
        self._start: Any = None

    def __enter__(self) -> _UploadBar:
        if not self._quiet:
            from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

            self._start = Progress(
                "Sending", BarColumn(), DownloadColumn(), TransferSpeedColumn(), transient=True
            )
            self._start.start()
        return self

    def update(self, done: int, total: int) -> None:
        """So many bytes of all are sent."""
        if self._start is None:
            return
        if not self._start.task_ids:
            self._start.add_task("", total=total)
        self._start.update(self._start.task_ids[0], completed=done)

    def __exit__(self, *_: object) -> None:
        if self._start is not None:
            self._start.stop()


@app.command()
@covers("datasets.show", "datasets.version")
def show(name: DatasetRef, as_json: AsJson = False) -> None:
    """A dataset and its newest version, or one version with @REF."""
    client = session.client()
    plain, ref = reference(name)
    found = client.datasets.show(plain)
    version = client.datasets.version(plain, ref or "latest") if ref or found.version else None
    if as_json:
        session.raw(version if ref else {**session.plain(found), "newest": session.plain(version)})
        return
    dataset_views.print_dataset(found)
    if version is not None:
        dataset_views.print_version(version)


@app.command()
@covers("datasets.rows")
def head(
    name: DatasetRef,
    limit: Limit = 10,
    offset: Annotated[int, typer.Option(min=0, help="Leave out the first ones.")] = 0,
    where: Where = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """The first rows."""
    plain, ref = reference(name)
    found = session.client().datasets.rows(
        plain, ref, where=where, columns=columns_of(columns), offset=offset, limit=limit
    )
    if as_json:
        session.raw(found)
        return
    dataset_views.print_rows(found)


@app.command()
@covers("datasets.diff")
def diff(
    a: DatasetRef,
    b: Annotated[str, typer.Argument(metavar="REF", help="Another version.")] = "latest",
    as_json: AsJson = False,
) -> None:
    """What changed from one version to another: dlsys datasets diff tweets@v1 v2"""
    name, base = reference(a)
    target = reference(b)[1] if "@" in b else b
    if "@" in b and reference(b)[0] != name:
        raise usage("Two versions of one dataset can be compared, not two datasets.")
    found = session.client().datasets.diff(name, base or "v1", target)
    if as_json:
        session.raw(found)
        return
    title = f"{found.dataset}: v{found.base} → v{found.target}"
    output.pairs(title, {"rows added": found.rows_added, "rows removed": found.rows_removed})
    if found.schema_changes:
        rows = [[c.column, c.change, c.before or "", c.after or ""] for c in found.schema_changes]
        output.draw(["column", "change", "before", "after"], rows)
    if found.label_changes:
        counts = [[c.label, f"{c.before:,}", f"{c.after:,}"] for c in found.label_changes]
        output.draw(["label", "before", "after"], counts)


@app.command()
@covers("datasets.history")
def history(name: DatasetName, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Versions, newest first."""
    found = session.client().datasets.history(name, limit)
    columns = ["version", "message", "operation", "rows_added:added", "rows_removed:removed",
               "rows", "tags", "names:called", "author:by", "created_at:when"]  # fmt: skip
    output.table(found, columns, as_json, empty="Nothing was committed yet.")


@app.command()
@covers("datasets.tag")
def tag(
    name: DatasetRef,
    tag: Annotated[str, typer.Argument(help="The tag.")],
    move: Annotated[bool, typer.Option("--move", help="Even if it points elsewhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a version a name that does not move by itself: dlsys datasets tag tweets@v3 gold"""
    client = session.client()
    plain, ref = reference(name)
    version = client.datasets.version(plain, ref or "latest").version
    found = client.datasets.tag(plain, tag, version, move=move)
    output.say(found, as_json, f"{plain}@{tag} is v{version} now.")


@app.command()
@covers("datasets.untag")
def untag(
    name: DatasetName,
    tag: Annotated[str, typer.Argument(help="The tag.")],
    as_json: AsJson = False,
) -> None:
    """Remove a tag."""
    found = session.client().datasets.untag(name, tag)
    output.say(found, as_json, f"{name} has no tag {tag} any more.")


@app.command()
@covers("snapshots.create", "snapshots.chunk")
def snapshot(
    name: DatasetRef,
    where: Where = None,
    tag: TagPairs = None,
    columns: Columns = None,
    split: Split = None,
    seed: Seed = 0,
    to: Annotated[Path | None, typer.Option(help="Also put its Parquet files here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Freeze rows for training; the same content gives the same hash."""
    client = session.client()
    found = client.snapshots.create(
        name,
        tags=pairs(tag, "--tag"),
        where=where,
        columns=columns_of(columns),
        split=split_of(split),
        seed=seed,
    )
    if to is not None:
        client.snapshots.download(found, to)
    if as_json:
        session.raw(found)
        return
    about = {"rows": found.rows, "labels": found.labels, "files": str(to) if to else ""}
    splits = {f"split {s.name}": s.rows for s in found.splits}
    output.pairs(f"{found.dataset}@v{found.version} → {found.hash}", {**about, **splits})


@app.command()
@covers("snapshots.list", "snapshots.show")
def snapshots(
    name: DatasetName,
    hash: Annotated[str | None, typer.Argument(help="Show only this one.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Snapshots of a dataset, newest first, or one by its hash."""
    client = session.client()
    if hash:
        found = client.snapshots.show(hash)
        if as_json:
            session.raw(found)
            return
        asked = found.request.model_dump(exclude_defaults=True)
        splits = {f"split {s.name}": s.rows for s in found.splits}
        output.pairs(found.hash, {"version": found.version, "rows": found.rows, **asked, **splits})
        return
    columns = ["hash", "version", "rows", "labels", "created_by:by", "created_at:when"]
    found_all = client.snapshots.list(name, limit)
    output.table(found_all, columns, as_json, empty=f"{name} has no snapshot yet.")


@app.command()
@covers("datasets.export")
def export(
    name: DatasetRef,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="File; by the name else.")] = None,
    format: Annotated[FormatName | None, typer.Option(help="By the file else.")] = None,
    where: Where = None,
    columns: Columns = None,
    as_json: AsJson = False,
) -> None:
    """All rows of a version as one file."""
    plain, ref = reference(name)
    chosen = format.value if format else _format_of(to)
    target = to or Path(f"{plain}{'-' + ref.replace(':', '-') if ref else ''}.{chosen}")
    session.client().datasets.export(
        plain,
        ref,
        to=target,
        where=where,
        columns=columns_of(columns),
        format=cast("ExportFormat", chosen),
    )
    size = target.stat().st_size
    from jupyter_dlsys.client.words import size as in_words

    about = {"path": str(target), "format": chosen, "bytes": size}
    output.say(about, as_json, f"{target} ({in_words(size)})")


def _format_of(path: Path | None) -> str:
    suffix = path.suffix.lower().lstrip(".") if path else "parquet"
    if suffix not in {item.value for item in FormatName}:
        raise usage(f"'{path}' does not tell the format.", "Add --format csv, parquet, …")
    return suffix


app.command()(policies.policy)


@app.command()
@covers("datasets.remove")
def rm(
    name: DatasetName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a dataset from the lists; snapshots and lineage that use it stay readable."""
    if not yes and not as_json and session.interactive():
        typer.confirm(f"Remove dataset {name}?", abort=True)
    session.client().datasets.remove(name)
    output.say({"removed": name}, as_json, f"Dataset {name} is removed.")
