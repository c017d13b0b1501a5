"""The one error of this package: what MLflow refused, and what we refuse before it."""

from __future__ import annotations

from typing import Any

from dlsys_server.core.errors import DlsysError


class MlflowError(DlsysError):
    """MLflow answered with an error, cannot be reached, or a call is not let through to it.

    `status` is the HTTP status (503 while MLflow starts), `mlflow_code` MLflow's own error code.
    """

    title = "MLflow refused"

    def __init__(self, status: int, mlflow_code: str, detail: str, hint: str = "") -> None:
        code = "mlflow-" + mlflow_code.lower().replace("_", "-")
        retry_after = 1 if status == 503 else None
        super().__init__(detail, hint=hint, code=code, retry_after=retry_after)
        self.status, self.mlflow_code = status, mlflow_code

    @property
    def missing(self) -> bool:
        """The thing asked for does not exist."""
        return self.status == 404

    @property
    def exists(self) -> bool:
        """The thing to be created is there already."""
        return self.mlflow_code == "RESOURCE_ALREADY_EXISTS"

    def document(self) -> dict[str, Any]:
        """A problem document (RFC 9457) that MLflow's own client understands too."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "error_code": self.mlflow_code,
            "message": f"{self.detail} {self.hint}".strip(),
        }


def unavailable(detail: str) -> MlflowError:
    """MLflow is not there yet, or not there any more."""
    return MlflowError(503, "TEMPORARILY_UNAVAILABLE", detail, "Try again in a moment.")


def in_mlflow_words(error: DlsysError) -> MlflowError:
    """An error of ours as MLflow's client shows it."""
    if isinstance(error, MlflowError):
        return error
    words = {
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "RESOURCE_DOES_NOT_EXIST",
        503: "TEMPORARILY_UNAVAILABLE",
    }
    code = words.get(error.status, "INVALID_PARAMETER_VALUE")
    return MlflowError(error.status, code, error.detail, error.hint)
