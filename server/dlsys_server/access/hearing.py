"""Streams of events last for hours: who listens is asked again and again."""

from __future__ import annotations

import contextlib
import time

from fastapi import Request

from dlsys_server.core.errors import Forbidden, Unavailable
from jupyter_dlsys.contract.base import Event

from .principals import Principal
from .routing import identify
from .scopes import Scope

AGAIN_SECONDS = 10.0


class Hearing:
    """What a caller may hear of events, by the rights of the moment (some seconds old at most)."""

    def __init__(self, request: Request, caller: Principal) -> None:
        self._request, self._caller = request, caller
        self._at = time.monotonic()
        self._projects = caller.projects_with(Scope.READ)

    def __call__(self, events: list[Event]) -> list[Event]:
        """The events that may be heard, with what may be told of them.

        Raises:
            Unauthenticated: the token is not valid any more.
            Forbidden: the caller reads other projects than when this began; connect again.
        """
        if time.monotonic() - self._at > AGAIN_SECONDS:
            self._ask_again()
        found = [event for event in events if event.project in self._projects]
        told: list[Event] = self._request.app.state.names.events(self._caller, found)
        return told

    def _ask_again(self) -> None:
        self._at = time.monotonic()
        with contextlib.suppress(Unavailable):  # nobody can say: who is known goes on, as elsewhere
            self._caller = identify(self._request)
        if self._caller.projects_with(Scope.READ) != self._projects:
            raise Forbidden(
                "What you may read has changed.",
                code="rights-changed",
                hint="Connect again to hear what you may hear now.",
            )
