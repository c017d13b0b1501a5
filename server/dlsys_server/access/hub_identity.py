"""Identity behind JupyterHub: tokens of the hub, remembered for a while, and the platform's own."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial

from .hub import Hub, HubUser
from .issued import Issued
from .memory import Memory
from .principals import Principal
from .projects import ProjectService, personal, rights_of
from .scopes import Scope, expand
from .tokens import digest

ALL = expand(frozenset({Scope.ADMIN}))
OF_PERSONS = expand(frozenset({Scope.MANAGE}))


class HubIdentity:
    """Asks the hub once a while for each token; the roles in projects are ours and always new.

    When the hub is away, whoever it knew before goes on for the memory's stale time; others, and
    whoever wants to delete or administer, get 503.

    Args:
        hub: whom to ask.
        issued: tokens of jobs and programs.
        projects: roles.
        memory: what the hub said.
        secret: of the person who runs the platform, new at each start.
        operator: that person's name.
        trusts: whether this is the hash of such a secret of another platform on the database.
    """

    def __init__(
        self,
        hub: Hub,
        issued: Issued,
        projects: ProjectService,
        memory: Memory[HubUser],
        secret: str,
        operator: str,
        trusts: Callable[[str], bool] = lambda _hash: False,
    ) -> None:
        self._hub, self._issued, self._projects, self._memory = hub, issued, projects, memory
        self._secret, self._operator, self._trusts = secret.encode(), operator, trusts

    def identify(self, token: str, fresh: bool = False) -> Principal | None:
        """The token's principal; None when it is not valid."""
        if hmac.compare_digest(token.encode(), self._secret):
            return self._principal(HubUser(self._operator, "user", (), ALL))
        if token.startswith("dlsys_"):
            return self._issued.identify(token, partial(self.person, fresh=fresh))
        hashed = digest(token)
        if self._trusts(hashed):
            return self._principal(HubUser(self._operator, "user", (), ALL))
        user = self._memory.of(f"token {hashed}", lambda: self._hub.holder(token), fresh)
        return None if user is None else self._principal(user)

    def person(self, name: str, fresh: bool = False) -> Principal | None:
        """What a user may do by the roles in projects; None when the hub has no such user."""
        user = self._memory.of(f"user {name}", lambda: self._person(name), fresh)
        return None if user is None else self._principal(user)

    def _person(self, name: str) -> HubUser | None:
        groups = self._hub.groups(name)
        return None if groups is None else HubUser(name, "user", groups, OF_PERSONS)

    def _principal(self, user: HubUser) -> Principal:
        own = personal(user.name)
        held = self._projects.held(user.name, user.groups, user.scopes)
        rights = dict(rights_of(held, user.scopes))
        if user.kind == "user" and user.scopes:
            self._projects.ensure(own, user.name, "personal")
        else:
            rights.pop(own, None)
        return Principal(
            user.name, user.kind, own, rights, user.scopes, roles=held, groups=user.groups
        )
