"""The one error tree. Each class has a stable `code` and an HTTP `status`.

    DlsysError
    ├── InvalidInput 400      ├── Unauthenticated 401   ├── Forbidden 403
    ├── NotFound 404          ├── Conflict 409          ├── TooLarge 413
    ├── Refused 422           ├── Unavailable 503       └── Broken 500

`detail` says what happened, `hint` what to do next.
"""

from __future__ import annotations

from jupyter_dlsys.contract.base import FieldProblem


class DlsysError(Exception):
    """Base of all errors that reach a caller."""

    status = 500
    title = "Internal error"
    code = "internal-error"

    def __init__(
        self,
        detail: str,
        *,
        hint: str = "",
        code: str | None = None,
        errors: list[FieldProblem] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.code = code or type(self).code
        self.errors = errors or []
        self.retry_after = retry_after


class InvalidInput(DlsysError):
    """The request cannot be understood or does not fit what it refers to."""

    status, title, code = 400, "Invalid input", "invalid-input"


class Unauthenticated(DlsysError):
    """No token, or one that is not valid."""

    status, title, code = 401, "Not authenticated", "unauthenticated"


class Forbidden(DlsysError):
    """The principal may not do this."""

    status, title, code = 403, "Not allowed", "forbidden"


class NotFound(DlsysError):
    """There is no such thing, or the caller may not know of it."""

    status, title, code = 404, "Not found", "not-found"


class Conflict(DlsysError):
    """The state of the thing does not allow it now."""

    status, title, code = 409, "Conflict", "conflict"


class TooLarge(DlsysError):
    """More bytes than allowed."""

    status, title, code = 413, "Too large", "too-large"


class Refused(DlsysError):
    """Understood, but the content breaks a rule (a schema, a safety rule)."""

    status, title, code = 422, "Refused", "refused"


class Unavailable(DlsysError):
    """A part that is needed is starting or down; try again."""

    status, title, code = 503, "Not available right now", "unavailable"


class Broken(DlsysError):
    """The platform's own data is damaged or a part failed for good."""

    status, title, code = 500, "Platform fault", "platform-fault"
