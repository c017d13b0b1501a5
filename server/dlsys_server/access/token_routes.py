"""HTTP of programs' tokens: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from jupyter_dlsys.contract.base import NAME_PATTERN
from jupyter_dlsys.contract.tokens import IssuedServiceToken, ServiceToken, ServiceTokenRequest

from .programs import ProgramTokens
from .routing import Caller, RoomRouter, service

router = RoomRouter(prefix="/projects/{project}/tokens", tags=["tokens"])
Tokens = Annotated[ProgramTokens, service("tokens")]
Endpoint = Annotated[
    str | None, Query(pattern=NAME_PATTERN, description="Only keys of this endpoint.")
]


@router.get("", operation_id="tokens.list")
def list_tokens(
    project: str, caller: Caller, tokens: Tokens, endpoint: Endpoint = None
) -> list[ServiceToken]:
    """Your tokens of programs, newest first; a maintainer sees everybody's."""
    return tokens.list(caller, project, endpoint)


@router.post("", status_code=201, operation_id="tokens.issue")
def issue_token(
    project: str, body: ServiceTokenRequest, caller: Caller, tokens: Tokens, response: Response
) -> IssuedServiceToken:
    """A token for a program, with scopes that you hold here yourself; the secret is shown once."""
    response.headers["Cache-Control"] = "no-store"
    return tokens.issue(caller, project, body)


@router.delete("/{token}", status_code=204, operation_id="tokens.revoke")
def revoke_token(project: str, token: str, caller: Caller, tokens: Tokens) -> None:
    """Make a token worthless at once: your own, or as a maintainer anybody's."""
    tokens.revoke(caller, project, token)
