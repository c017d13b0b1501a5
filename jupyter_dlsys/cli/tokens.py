"""dlsys tokens …"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_dlsys.cli import output, session
from jupyter_dlsys.cli.covers import covers
from jupyter_dlsys.cli.options import AsJson, complete_endpoint

if TYPE_CHECKING:
    from jupyter_dlsys.contract.tokens import TokenScope

app = typer.Typer(rich_markup_mode=None, help="Tokens that programs work with.")
COLUMNS = [
    "id",
    "name",
    "owner",
    "scopes",
    "endpoint",
    "state",
    "created_at:made",
    "expires_at:valid until",
    "last_used_at:last used",
]
EMPTY = "No token. Make one: dlsys tokens issue PROGRAM --endpoint NAME"


class ScopeName(str, Enum):
    """What a program may do."""

    read = "read"
    predict = "predict"
    write = "write"
    submit = "submit"
    deploy = "deploy"


OfEndpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint", metavar="NAME", help="Of this endpoint.", autocompletion=complete_endpoint
    ),
]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")]
Forever = Annotated[bool, typer.Option("--forever", help="Valid until it is revoked.")]


@app.callback(invoke_without_command=True)
def tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """Tokens that programs work with. Alone: the list."""
    if context.invoked_subcommand is None:
        list_tokens(as_json=as_json)


@app.command("list")
@covers("tokens.list")
def list_tokens(endpoint: OfEndpoint = None, as_json: AsJson = False) -> None:
    """Your tokens in the project, newest first; a maintainer sees everybody's."""
    show(endpoint, as_json, EMPTY)


@app.command()
@covers("tokens.issue")
def issue(
    program: Annotated[str, typer.Argument(help="What the program is.")],
    scope: Annotated[
        list[ScopeName] | None,
        typer.Option("--scope", "-s", help="What it may do; repeat for more. Else: predict."),
    ] = None,
    endpoint: OfEndpoint = None,
    days: Days = 90,
    forever: Forever = False,
    as_json: AsJson = False,
) -> None:
    """A token for a program, of scopes that you have yourself."""
    chosen: list[TokenScope] = [found.value for found in scope or [ScopeName.predict]]
    make(program, chosen, endpoint, None if forever else days, as_json)


@app.command()
@covers("tokens.revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Of the token; not its secret.")],
    as_json: AsJson = False,
) -> None:
    """Make a token worthless at once."""
    end(token, as_json)


def show(endpoint: str | None, as_json: bool, empty: str) -> None:
    """Print tokens."""
    output.table(session.client().tokens.list(endpoint), COLUMNS, as_json, empty=empty)


def make(
    program: str, scopes: list[TokenScope], endpoint: str | None, days: int | None, as_json: bool
) -> None:
    """Make one and print its secret."""
    made = session.client().tokens.issue(program, scopes, endpoint=endpoint, lifetime_days=days)
    output.say(made, as_json, f"{made.token}\nIt is shown only now; keep it like a password.")


def end(token: str, as_json: bool) -> None:
    """Revoke one."""
    session.client().tokens.revoke(token)
    output.say({"revoked": token}, as_json, f"Token {token} is worthless now.")
