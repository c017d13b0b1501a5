"""Streams of events last for hours: who listens is asked again and again."""

from __future__ import annotations

import time

from fastapi import Request

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

    def __call__(self, events: list[Event]) -> list[Event]:
        """The events that may be heard, with what may be told of them.

        Raises:
            Unauthenticated: the token is not valid any more.
            Unavailable: whose it is cannot be found out now.
        """
        if time.monotonic() - self._at > AGAIN_SECONDS:
            self._caller, self._at = identify(self._request), time.monotonic()
        readable = set(self._caller.projects_with(Scope.READ))
        found = [event for event in events if event.project in readable]
        told: list[Event] = self._request.app.state.names.events(self._caller, found)
        return told
