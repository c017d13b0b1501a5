"""Health, identity, workers, the event stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from jupyter_dlsys.client.connection import API
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.streams import follow
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.system import Health, Whoami, Worker


class System(Resource):
    """What belongs to no project."""

    def health(self) -> Health:
        """State of the platform and of each part."""
        return self._connection.get(Health, f"{API}/health")

    def whoami(self) -> Whoami:
        """Who you are to the platform and what you may do."""
        return self._connection.get(Whoami, f"{API}/whoami")

    def workers(self) -> Listing[Worker]:
        """Machines that run jobs, and what is in use."""
        return Listing(self._connection.get(list[Worker], f"{API}/workers"))

    def events(
        self,
        since: int | None = None,
        topics: Sequence[str] = (),
        subjects: Sequence[str] = (),
    ) -> Iterator[Event]:
        """What happens, as it happens, for ever.

        Args:
            since: also what happened after this sequence number; only news when left out.
            topics: only these, by prefix, e.g. "dataset.".
            subjects: or about these, e.g. "dataset/tweets".
        """
        wanted = {"topics": list(topics), "subjects": list(subjects)}
        return follow(self._connection, f"{API}/events", wanted, since)

    def shutdown(self, jobs: Literal["refuse", "keep", "cancel"] = "refuse") -> None:
        """End the platform cleanly, endpoints with it.

        Args:
            jobs: what to do while jobs wait or run: "refuse", "keep" them (the next start picks
                them up) or "cancel" them.
        """
        self._connection.json("POST", f"{API}/shutdown", params={"jobs": jobs})
