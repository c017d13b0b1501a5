"""Every error as RFC 9457 problem+json, one translator for all."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from dlsys_server.core.errors import DlsysError
from dlsys_server.core.logs import request_id
from jupyter_dlsys.contract.base import FieldProblem, Problem

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
HTTP_CODES = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def install_problem_handlers(app: FastAPI) -> None:
    """Register the translator for every kind of error."""
    app.add_exception_handler(DlsysError, _own)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)


def document_problems(app: FastAPI) -> None:
    """Let the OpenAPI document name the media type that problems really have."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        for verbs in document["paths"].values():
            for verb in verbs.values():
                problem = verb["responses"].get("default")
                if problem:
                    problem["content"] = {MEDIA_TYPE: next(iter(problem["content"].values()))}
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    problem.request_id = request_id.get()
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def status_of(error: Exception) -> tuple[int, str]:
    """Status and code of the answer that an error becomes."""
    if isinstance(error, DlsysError):
        return error.status, error.code
    if isinstance(error, RequestValidationError):
        return 400, "invalid-input"
    if isinstance(error, HTTPException):
        return error.status_code, HTTP_CODES.get(error.status_code, "http-error")
    if is_away(error):
        return 503, "database-unavailable"
    return 500, "internal-error"


def is_away(error: Exception) -> bool:
    """Whether the database does not answer, or broke off in the middle."""
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError) or error.connection_invalidated
    return isinstance(error, PoolTimeout)


def error_response(error: DlsysError) -> JSONResponse:
    """An error of our tree as a response."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(
        Problem(
            title=error.title,
            status=error.status,
            code=error.code,
            detail=error.detail,
            hint=error.hint,
            errors=error.errors,
        ),
        headers,
    )


async def _own(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, DlsysError):
        raise error
    if error.status >= 500:
        log.error("request failed", extra={"code": error.code, "detail": error.detail})
    return error_response(error)


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        FieldProblem(
            field=".".join(_shown(part) for part in e["loc"][1:]),
            message=e["msg"].removeprefix("Value error, "),
        )
        for e in error.errors()
    ]
    first = errors[0] if errors else FieldProblem(message="unreadable")
    return problem_response(
        Problem(
            title="Invalid input",
            status=400,
            code="invalid-input",
            detail=f"{first.field or 'body'}: {first.message}",
            hint="Correct the named fields; the API documentation shows the expected shape.",
            errors=errors,
        )
    )


def _shown(part: object) -> str:
    """A part of a field's path; keys of the caller's own may be no Unicode."""
    return str(part).encode("utf-8", "replace").decode()


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(
        Problem(
            title=str(error.detail),
            status=error.status_code,
            code=HTTP_CODES.get(error.status_code, "http-error"),
            detail=str(error.detail),
            hint="/api/v1/openapi.json lists all routes.",
        ),
        dict(error.headers or {}),
    )


async def _database(_request: Request, error: Exception) -> JSONResponse:
    if not is_away(error):
        raise error
    log.error("database unavailable", exc_info=error)
    return problem_response(
        Problem(
            title="Not available right now",
            status=503,
            code="database-unavailable",
            detail="The platform cannot reach its database.",
            hint="Try again in a moment. Whether a change was made just before is not known: look "
            "first, or send it again with the same Idempotency-Key.",
        ),
        {"Retry-After": "2"},
    )


def unexpected_error() -> JSONResponse:
    """What is left when nothing else fits; the log has the rest."""
    return problem_response(
        Problem(
            title="Internal error",
            status=500,
            code="internal-error",
            detail="Something went wrong inside the platform.",
            hint="Look for the request id in the platform's log and report it.",
        )
    )
