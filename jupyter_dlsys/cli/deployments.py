"""dlsys deploy, endpoints, predict, rollback, undeploy."""

from __future__ import annotations

import json
import sys
from enum import Enum
from typing import Annotated, Any, Literal

import typer

from jupyter_dlsys.cli import output, session, tokens
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, EndpointName, Limit, ModelRef, usage

app = typer.Typer(rich_markup_mode=None, help="Endpoints: what answers, and who may ask.")
top = typer.Typer(rich_markup_mode=None)
EMPTY = "No endpoint yet. Make one: dlsys deploy MODEL@champion"
COLUMNS = ["name", "model", "version", "state", "message", "url", "updated_at:changed"]


class Trust(str, Enum):
    """What a model's worker may load."""

    safe = "safe"
    code = "code"


@top.command()
@covers("deployments.deploy")
def deploy(
    model: ModelRef,
    name: Annotated[str | None, typer.Option(help="Of the endpoint; the model's else.")] = None,
    trust: Annotated[
        Trust, typer.Option(help="code: pickles and Python code may be loaded; you vouch for them.")
    ] = Trust.safe,
    max_batch: Annotated[int, typer.Option(min=1, max=4096, help="Examples at once.")] = 32,
    slo_ms: Annotated[float | None, typer.Option(help="Refuse rather than be later.")] = None,
    wait: Annotated[bool, typer.Option(help="Until it answers.")] = True,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Wait at most.")] = 180,
    as_json: AsJson = False,
) -> None:
    """Serve a model version, or move an endpoint to it without a gap."""
    chosen: Literal["safe", "code"] = trust.value
    found = session.client().deployments.deploy(
        model,
        name,
        trust=chosen,
        max_batch=max_batch,
        slo_ms=slo_ms,
        wait=timeout if wait else None,
    )
    what = f"answers with version {found.version}" if found.state == "ready" else found.message
    output.say(found, as_json, f"Endpoint {found.name} {what or found.state}: {found.url}")


@app.callback(invoke_without_command=True)
def endpoints(context: typer.Context, as_json: AsJson = False) -> None:
    """Endpoints: what answers, and who may ask. Alone: the list."""
    if context.invoked_subcommand is None:
        list_endpoints(limit=50, as_json=as_json)


@app.command("list")
@covers("deployments.list")
def list_endpoints(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Endpoints, most recently changed first."""
    output.table(session.client().deployments.list(limit), COLUMNS, as_json, empty=EMPTY)


@app.command()
@covers("deployments.show")
def show(name: EndpointName, as_json: AsJson = False) -> None:
    """One endpoint: what it serves, and how it does."""
    from jupyter_dlsys.client.words import number

    found = session.client().deployments.show(name)
    if as_json:
        session.raw(found)
        return
    figures, golden = found.statistics, found.golden
    about: dict[str, Any] = {
        "model": found.model,
        "version": f"v{found.version}" if found.version else "none yet",
        "before": f"v{found.previous_version}" if found.previous_version else "",
        "URL": found.url,
        "requests": f"{figures.requests:,}, {figures.errors:,} failed",
        "per second": number(figures.requests_per_second),
        "latency": _latency(figures.p50_ms, figures.p99_ms),
        "golden examples": f"{golden.matched} of {golden.examples} alike" if golden else "",
        "contract": found.contract,
    }
    output.pairs(f"{found.name}: {found.state} {found.message}".rstrip(), about)


def _latency(half: float | None, worst: float | None) -> str:
    from jupyter_dlsys.client.words import number

    return "" if half is None else f"{number(half)} ms for half, {number(worst)} ms for 99 %"


@app.command("tokens")
def keys(
    name: EndpointName,
    issue: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="Make a token for this program.")
    ] = None,
    days: tokens.Days = 90,
    revoke: Annotated[str | None, typer.Option(metavar="ID", help="Make it worthless.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tokens of programs that may call an endpoint: list, --issue, --revoke."""
    if issue and revoke:
        raise usage("--issue and --revoke exclude each other.")
    if issue:
        tokens.make(issue, ["predict"], name, days, as_json)
    elif revoke:
        tokens.end(revoke, as_json)
    else:
        empty = f"No program of yours has a key of {name}. --issue PROGRAM makes one."
        tokens.show(name, as_json, empty)


@top.command()
@covers("deployments.predict")
def predict(
    name: EndpointName,
    data: Annotated[
        str, typer.Argument(metavar="JSON|-", help='{"text": ["(^_^)"]}, or - to read it.')
    ],
    as_json: AsJson = False,
) -> None:
    """Ask an endpoint."""
    inputs = _inputs(sys.stdin.read() if data == "-" else data)
    found = session.client().deployments.predict(name, inputs)
    if as_json:
        session.raw(found)
        return
    names = list(found.outputs)
    count = max((len(values) for values in found.outputs.values()), default=0)
    rows = [
        [*(_short(v[i]) for v in inputs.values()), *(_short(found.outputs[n][i]) for n in names)]
        for i in range(count)
    ]
    output.draw([*inputs, *names], rows)
    about = f"version {found.model_version}, {found.milliseconds:.1f} ms"
    session.console().print(f"{about}, request {found.request_id}", style="dim")


def _inputs(text: str) -> dict[str, list[Any]]:
    hint = """Write lists by input name: '{"text": ["(^_^)"]}'"""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise usage(f"This is not JSON: {error}", hint) from None
    if isinstance(found, dict) and set(found) == {"inputs"}:
        found = found["inputs"]
    if not isinstance(found, dict):
        raise usage("The inputs are not an object.", hint)
    return {str(k): v if isinstance(v, list) else [v] for k, v in found.items()}


def _short(value: Any) -> str:
    from jupyter_dlsys.client.views import text

    shown = text(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"


@top.command()
@covers("deployments.rollback")
def rollback(name: EndpointName, as_json: AsJson = False) -> None:
    """Go back to the version served before."""
    found = session.client().deployments.rollback(name)
    sentence = f"Endpoint {name} goes back to version {found.target_version}."
    output.say(found, as_json, sentence)


@top.command()
@covers("deployments.undeploy")
def undeploy(name: EndpointName, as_json: AsJson = False) -> None:
    """Stop serving, and forget the endpoint and its tokens."""
    session.client().deployments.undeploy(name)
    output.say({"undeployed": name}, as_json, f"Endpoint {name} is gone.")
