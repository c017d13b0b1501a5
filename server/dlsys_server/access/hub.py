"""What JupyterHub says about a token: one request each (REST API of JupyterHub 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx

from dlsys_server.core.errors import Unavailable

from .scopes import Scope, expand

TIMEOUT = httpx.Timeout(5, connect=2)
SCOPE_PREFIX = "custom:dlsys:"


@dataclass(frozen=True)
class HubUser:
    """Who holds a token of the hub, and what it may at most do here."""

    name: str
    kind: Literal["user", "service"]
    groups: tuple[str, ...]
    scopes: frozenset[Scope]


class Hub:
    """Asks the hub. The platform's own token may read names and groups, nothing else.

    Args:
        url: of the hub's API, e.g. http://127.0.0.1:8081/hub/api.
        token: the platform's own, as a service of the hub.
        service: its name there; callers need access to it.
    """

    def __init__(self, url: str, token: str, service: str) -> None:
        self._service = service
        self._own = {"Authorization": f"token {token}"}
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def holder(self, token: str) -> HubUser | None:
        """Whose token it is; None when it is not valid or gives no access to this service.

        Raises:
            Unavailable: the hub does not answer.
        """
        if not token.isascii() or not token.isprintable() or " " in token:
            return None
        told = self._get("/user", {"Authorization": f"token {token}"}, (401, 403, 404))
        if told is None:
            return None
        scopes = set(told.get("scopes") or ())
        if not scopes & {"access:services", f"access:services!service={self._service}"}:
            return None
        if told.get("kind") == "service":
            return HubUser(f"service:{told['name']}", "service", (), rights(scopes))
        return HubUser(told["name"], "user", self.groups(told["name"]) or (), rights(scopes))

    def groups(self, user: str) -> tuple[str, ...] | None:
        """Groups that a user is in; None when the hub has no such user.

        Raises:
            Unavailable: the hub does not answer.
        """
        told = self._get(f"/users/{quote(user, safe='')}", self._own, (404,))
        return None if told is None else tuple(told.get("groups") or ())

    def _get(
        self, path: str, headers: dict[str, str], nothing: tuple[int, ...]
    ) -> dict[str, Any] | None:
        """What the hub says; None for the `nothing` statuses. That it does not take our own token
        is no answer about anybody.
        """
        try:
            answer = self._http.get(path, headers=headers)
            if answer.status_code in nothing:
                return None
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                "The hub that knows you does not answer.",
                code="hub-away",
                hint="Try again in a moment; what you have done is kept.",
            ) from error


def rights(scopes: set[str]) -> frozenset[Scope]:
    """Our scopes among those of a token; a filtered one (…!user=x) gives nothing."""
    known = {scope.value: scope for scope in Scope}
    found = {
        known[name.removeprefix(SCOPE_PREFIX)]
        for name in scopes
        if name.startswith(SCOPE_PREFIX) and name.removeprefix(SCOPE_PREFIX) in known
    }
    return expand(frozenset(found - {Scope.JOB, Scope.OPEN}))
