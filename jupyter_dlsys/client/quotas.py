"""Quotas: how much users and projects may use, and how much they do."""

from __future__ import annotations

from urllib.parse import quote

from jupyter_dlsys.client.connection import API
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.quotas import LimitsRequest, Quota, QuotaKind


class Quotas(Resource):
    """Yours and those of your projects; of all for an administrator of the platform."""

    def list(self) -> Listing[Quota]:
        """Limits and use."""
        return Listing(self._connection.get(list[Quota], f"{API}/quotas"))

    def set(
        self,
        kind: QuotaKind,
        name: str,
        *,
        gpu_hours: float | None = None,
        jobs: int | None = None,
        storage_bytes: int | None = None,
        endpoints: int | None = None,
    ) -> Quota:
        """Limits instead of all that it had; None: no limit. Needs administration.

        Args:
            kind: "user" or "project".
            name: of it, or "*": all that have no limits of their own.
            gpu_hours: in a calendar month (UTC).
            jobs: that run at the same time.
            storage_bytes: of dataset versions and of what jobs leave.
            endpoints: that are deployed.
        """
        body = checked(
            LimitsRequest,
            gpu_hours=gpu_hours,
            jobs=jobs,
            storage_bytes=storage_bytes,
            endpoints=endpoints,
        )
        return self._connection.send(Quota, "PUT", _path(kind, name), body)

    def unset(self, kind: QuotaKind, name: str) -> None:
        """Back to the limits of "*", or of the platform's settings."""
        self._connection.json("DELETE", _path(kind, name))


def _path(kind: QuotaKind, name: str) -> str:
    return f"{API}/quotas/{kind}/{quote(name, safe='')}"
