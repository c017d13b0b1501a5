"""dlsys runs …, dlsys models …, dlsys lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, Limit, ModelName, ModelRef, RunId, reference, usage

if TYPE_CHECKING:
    from rich.tree import Tree

    from jupyter_dlsys.client.results import Lineage, ModelVersion

runs = typer.Typer(rich_markup_mode=None, help="Runs: parameters, metrics, curves.")
models = typer.Typer(rich_markup_mode=None, help="Registered models: versions, aliases, contracts.")
top = typer.Typer(rich_markup_mode=None)
RUN_COLUMNS = ["run_id:run", "name", "experiment", "status", "metrics", "started_at:started"]
NO_MODEL = "No model yet. A job registers one: mlflow.pytorch.log_model(…, registered_model_name=…)"


@runs.callback(invoke_without_command=True)
def runs_alone(context: typer.Context, as_json: AsJson = False) -> None:
    """Runs: parameters, metrics, curves. Alone: the list."""
    if context.invoked_subcommand is None:
        list_runs(experiment=None, filter=None, limit=20, as_json=as_json)


@runs.command("list")
@covers("runs.list")
def list_runs(
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    filter: Annotated[
        str | None, typer.Option(help='In MLflow\'s words: "metrics.accuracy > 0.8"')
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first."""
    found = session.client().runs.list(experiment, filter, limit)
    output.table(found, RUN_COLUMNS, as_json, empty="No run yet; each job makes one.")


@runs.command("show")
@covers("runs.show")
def show_run(run: RunId, as_json: AsJson = False) -> None:
    """One run."""
    found = session.client().runs.show(run)
    if as_json:
        session.raw(found)
        return
    about = {
        "run": found.run_id,
        "experiment": found.experiment,
        "job": found.job,
        "started": found.started_at,
        "parameters": found.parameters,
        "metrics": found.metrics,
    }
    output.pairs(f"{found.name}: {found.status}", about)


@runs.command()
@covers("runs.metrics")
def metrics(
    run: RunId,
    key: Annotated[list[str] | None, typer.Option("--key", "-k", help="Only these.")] = None,
    points: Annotated[int, typer.Option(min=10, max=5000, help="Points a curve.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Metric curves."""
    from jupyter_dlsys.cli.watching import sparkline
    from jupyter_dlsys.client.words import number

    found = session.client().runs.metrics(run, key, points)
    if as_json:
        session.raw(found)
        return
    rows = []
    for series in found:
        values = [p.value for p in series.points if p.value is not None]
        if values:
            texts = [number(v) for v in (values[-1], min(values), max(values))]
            rows.append([series.key, *texts, f"{series.count:,}", sparkline(values)])
    output.draw(["metric", "last", "min", "max", "points", ""], rows)


@models.callback(invoke_without_command=True)
def models_alone(context: typer.Context, as_json: AsJson = False) -> None:
    """Registered models: versions, aliases, contracts. Alone: the list."""
    if context.invoked_subcommand is None:
        list_models(limit=50, as_json=as_json)


@models.command("list")
@covers("models.list")
def list_models(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Models, most recently changed first."""
    found = session.client().models.list(limit)
    columns = ["name", "latest:newest", "aliases", "deployments:endpoints", "updated_at:changed"]
    output.table(found, columns, as_json, empty=NO_MODEL)


@models.command("show")
@covers("models.show", "models.version")
def show_model(name: ModelRef, as_json: AsJson = False) -> None:
    """A model with its versions, or one version with @REF."""
    plain, ref = reference(name)
    if ref:
        version = session.client().models.version(plain, ref)
        if as_json:
            session.raw(version)
        else:
            _print_version(version)
        return
    found = session.client().models.show(plain)
    if as_json:
        session.raw(found)
        return
    about = {"description": found.description, "endpoints": found.deployments}
    output.pairs(found.name, about)
    columns = ["version", "aliases", "metrics", "job", "created_at:made"]
    output.table(found.versions, columns, False, empty="It has no version yet.")


def _print_version(version: ModelVersion) -> None:
    about = {
        "aliases": version.aliases,
        "made": version.created_at,
        "metrics": version.metrics,
        "parameters": version.parameters,
        "job": version.job,
        "run": version.run_id,
        "contract": version.contract,
    }
    output.pairs(f"{version.model} v{version.version}", about)


@models.command()
@covers("models.promote")
def promote(
    name: ModelName,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="3, v3 or an alias.")],
    alias: Annotated[str, typer.Argument(metavar="ALIAS")] = "champion",
    as_json: AsJson = False,
) -> None:
    """Let an alias name a version; endpoints that follow the alias move to it."""
    client = session.client()
    number = version.removeprefix("v")
    chosen = int(number) if number.isdigit() else client.models.version(name, version).version
    found = client.models.promote(name, chosen, alias)
    output.say(found, as_json, f"{name}@{alias} is version {chosen} now.")


@models.command()
@covers("models.demote")
def demote(
    name: ModelName,
    alias: Annotated[str, typer.Argument(metavar="ALIAS")] = "champion",
    as_json: AsJson = False,
) -> None:
    """Remove an alias."""
    found = session.client().models.demote(name, alias)
    output.say(found, as_json, f"{name} has no alias {alias} any more.")


@top.command()
@covers("lineage.show")
def lineage(
    ref: Annotated[
        str,
        typer.Argument(
            metavar="REF",
            help="dataset/NAME@v1, snapshot/sha256:…, job/ID, run/ID, model/NAME@v1, "
            "deployment/NAME",
        ),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only where it came from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    depth: Annotated[int, typer.Option(min=1, max=8, help="Steps away.")] = 8,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=2000)] = 500,
    as_json: AsJson = False,
) -> None:
    """What a thing came from, and what came of it."""
    if up and down:
        raise usage("--up and --down exclude each other.", "Leave both out to see both.")
    direction: Literal["up", "down", "both"] = "up" if up else "down" if down else "both"
    found = session.client().lineage.show(ref, direction, depth, limit)
    if as_json:
        session.raw(found)
        return
    console = session.console()
    if direction != "down":
        console.print(_tree(found, "came from", upwards=True))
    if direction != "up":
        console.print(_tree(found, "led to", upwards=False))
    if found.truncated:
        console.print(f"(cut at {limit} things; --limit shows more)", style="dim")


def _tree(found: Lineage, title: str, *, upwards: bool) -> Tree:
    from rich.tree import Tree

    names = {node.id: f"{node.type.replace('_', ' ')} {node.name}" for node in found.nodes}
    nexts: dict[str, list[str]] = {}
    for edge in found.edges:
        here, there = (edge.target, edge.source) if upwards else (edge.source, edge.target)
        nexts.setdefault(here, []).append(there)
    tree = Tree(f"{names.get(found.root, found.root)} {title}:")
    _grow(tree, found.root, nexts, names, {found.root})
    if not tree.children:
        tree.add("nothing")
    return tree


def _grow(
    tree: Tree, here: str, nexts: dict[str, list[str]], names: dict[str, str], seen: set[str]
) -> None:
    for there in nexts.get(here, ()):
        known = there in seen
        branch = tree.add(names.get(there, there) + (" (see above)" if known else ""))
        if not known:
            seen.add(there)
            _grow(branch, there, nexts, names, seen)
