"""What can go wrong, as exceptions that say what to do next.

    DlsysError
    ├── ApiError: the platform answered with a problem
    │   ├── InvalidInput 400   ├── Unauthenticated 401   ├── Forbidden 403   ├── NotFound 404
    │   ├── Conflict 409       ├── TooLarge 413          ├── Refused 422     ├── Unavailable 503
    │   └── PlatformFault 500
    ├── UsageError: found wrong before anything was sent
    ├── NotConnected: no platform answers
    │   ├── NotInstalled: the platform's libraries are missing
    │   └── StartFailed: the platform ended while it started
    ├── JobFailed: a job that was waited for did not succeed
    └── TimedOut: it takes longer than the caller wanted to wait

`str(error)` is made for people: what happened, the first wrong fields with row and column, and
the hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_dlsys.contract.base import FieldProblem

SHOWN = 5


class DlsysError(Exception):
    """Base of all errors of this package. `exit_code` is the command line's."""

    exit_code = 1
    code = "error"
    status = 0

    def __init__(
        self,
        detail: str,
        *,
        hint: str = "",
        code: str | None = None,
        errors: Sequence[FieldProblem] = (),
        request_id: str | None = None,
    ) -> None:
        self.detail = detail
        self.hint = hint
        self.code = code or type(self).code
        self.errors = list(errors)
        self.request_id = request_id
        super().__init__(self.message())

    def message(self) -> str:
        """What happened, where, and what to do next."""
        lines = [self.detail, *(f"  {_place(e)}{_wrong(e)}" for e in self.errors[:SHOWN])]
        if len(self.errors) > SHOWN:
            lines.append(f"  … and {len(self.errors) - SHOWN} more")
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "code": self.code,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "errors": [e.model_dump(exclude_none=True) for e in self.errors],
            "request_id": self.request_id,
        }


def _place(problem: FieldProblem) -> str:
    where = [
        f"row {problem.row}" if problem.row is not None else "",
        f"column '{problem.column}'" if problem.column else "",
        problem.field if problem.field and problem.field != problem.column else "",
    ]
    text = ", ".join(part for part in where if part)
    return f"{text}: " if text else ""


def _wrong(problem: FieldProblem) -> str:
    text = problem.message
    if problem.expected and problem.expected not in text:
        text += f" (expected {problem.expected}"
        text += f", got {problem.got})" if problem.got else ")"
    return text


class ApiError(DlsysError):
    """The platform answered with a problem."""

    status = 500
    code = "http-error"
    retry_after: float | None = None


class InvalidInput(ApiError):
    """The request cannot be understood or does not fit what it refers to."""

    status, code, exit_code = 400, "invalid-input", 2

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if any(problem.row is not None for problem in self.errors):
            self.exit_code = Refused.exit_code  # the data is wrong, not the command


class Unauthenticated(ApiError):
    """No token, or one that is not valid."""

    status, code, exit_code = 401, "unauthenticated", 4


class Forbidden(ApiError):
    """The token may not do this."""

    status, code, exit_code = 403, "forbidden", 4


class NotFound(ApiError):
    """There is no such thing, or the caller may not know of it."""

    status, code, exit_code = 404, "not-found", 3


class Conflict(ApiError):
    """The state of the thing does not allow it now."""

    status, code, exit_code = 409, "conflict", 4


class TooLarge(ApiError):
    """More bytes than allowed."""

    status, code, exit_code = 413, "too-large", 4


class Refused(ApiError):
    """Understood, but the content breaks a rule (a schema, a safety rule)."""

    status, code, exit_code = 422, "refused", 4


class Unavailable(ApiError):
    """A part that is needed is starting or down; try again."""

    status, code = 503, "unavailable"


class PlatformFault(ApiError):
    """The platform failed; its log has the request id."""

    status, code = 500, "platform-fault"


class UsageError(DlsysError):
    """Found wrong on this side, before anything was sent."""

    code, exit_code = "usage", 2


class NotConnected(DlsysError):
    """No platform answers."""

    code = "not-connected"


class NotInstalled(NotConnected):
    """The platform's libraries are missing."""

    code = "server-extra-missing"


class StartFailed(NotConnected):
    """The platform ended while it started."""

    code = "start-failed"


class JobFailed(DlsysError):
    """A job that was waited for did not succeed."""

    code = "job-failed"


class TimedOut(DlsysError):
    """It takes longer than the caller wanted to wait."""

    code, exit_code = "timed-out", 124


BY_STATUS: dict[int, type[ApiError]] = {
    kind.status: kind
    for kind in (
        InvalidInput,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        TooLarge,
        Refused,
        PlatformFault,
        Unavailable,
    )
}


def from_answer(status: int, body: Any, retry_after: str | None = None) -> ApiError:
    """The exception for a problem+json answer (or any other body with a failing status)."""
    from jupyter_dlsys.contract.base import FieldProblem

    body = body if isinstance(body, dict) else {}
    kind = BY_STATUS.get(status) or (PlatformFault if status >= 500 else InvalidInput)
    detail = body.get("detail") or body.get("title") or body.get("message")
    error = kind(
        str(detail or f"The platform answered with status {status}."),
        hint=str(body.get("hint") or ""),
        code=body.get("code"),
        errors=[FieldProblem.model_validate(e) for e in body.get("errors") or []],
        request_id=body.get("request_id"),
    )
    error.status = status
    if retry_after and retry_after.isdigit():
        error.retry_after = float(retry_after)
    return error
