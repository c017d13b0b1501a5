"""Tokens of programs."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import ServiceToken
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.tokens import IssuedServiceToken, ServiceTokenRequest, TokenScope


class Tokens(Resource):
    """Tokens that you made for programs; a maintainer of the project sees everybody's."""

    def list(self, endpoint: str | None = None) -> Listing[ServiceToken]:
        """Tokens, newest first; with `endpoint` only the keys of this one."""
        query = {"endpoint": endpoint} if endpoint else None
        path = self._path("tokens")
        return Listing(self._connection.get(list[ServiceToken], path, query))

    def issue(
        self,
        program: str,
        scopes: Sequence[TokenScope] = ("predict",),
        *,
        endpoint: str | None = None,
        lifetime_days: int | None = 90,
    ) -> IssuedServiceToken:
        """A token for a program; the secret is in this answer only.

        Args:
            program: what it is.
            scopes: of those that you have in the project yourself.
            endpoint: only this endpoint; then only "predict".
            lifetime_days: None: until it is revoked.
        """
        body = checked(
            ServiceTokenRequest,
            name=program,
            scopes=list(scopes),
            endpoint=endpoint,
            lifetime_days=lifetime_days,
        )
        return self._connection.send(IssuedServiceToken, "POST", self._path("tokens"), body)

    def revoke(self, token: str) -> None:
        """Make a token worthless at once; `token` is its id."""
        self._connection.json("DELETE", self._path("tokens", token))
