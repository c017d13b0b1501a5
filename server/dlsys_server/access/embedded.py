"""Identity on a laptop: the per-start secret is the OS user; job and program tokens are rows."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from .issued import Issued
from .principals import DEFAULT_PROJECT, Principal
from .scopes import Scope, expand
from .tokens import digest

ALL = expand(frozenset({Scope.ADMIN}))


class EmbeddedIdentity:
    """Knows one person: who may read the data folder."""

    def __init__(
        self,
        issued: Issued,
        secret: str,
        user: str,
        trusts: Callable[[str], bool] = lambda _hash: False,
    ) -> None:
        self._issued, self._secret, self._trusts = issued, secret.encode(), trusts
        self._owner = Principal.of(user, "user", DEFAULT_PROJECT, (DEFAULT_PROJECT,), ALL)

    def identify(self, token: str, fresh: bool = False) -> Principal | None:
        """The token's principal; None when it is not valid."""
        if hmac.compare_digest(token.encode(), self._secret):
            return self._owner
        if token.startswith("dlsys_"):
            return self._issued.identify(token, self.person)
        return self._owner if self._trusts(digest(token)) else None

    def person(self, name: str, fresh: bool = False) -> Principal | None:
        """What a user may do: all that is in the folder is the OS user's, under whatever name."""
        return replace(self._owner, name=name)
