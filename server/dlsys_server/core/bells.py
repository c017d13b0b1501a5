"""Bells: named hints from one process to the others that there is something to look at.

A ring may be lost or come twice, so whoever hears one looks into the database.
"""

from __future__ import annotations

from collections.abc import Callable

EVENTS, SCHEDULER, ROLLOUTS, SCHEDULES, WARM = (
    "events",
    "scheduler",
    "rollouts",
    "schedules",
    "warm",
)
CHANNEL = "dlsys"
"""Of PostgreSQL's NOTIFY; its texts are "<worker> <bell>"."""
Carrier = Callable[[str], None]


class Bells:
    """Rings to other processes by carriers, and does what was asked for when others ring."""

    def __init__(self) -> None:
        self._heard: dict[str, list[Callable[[], None]]] = {}
        self._carriers: list[Carrier] = []

    def on(self, name: str, do: Callable[[], None]) -> None:
        """When another process rings this bell."""
        self._heard.setdefault(name, []).append(do)

    def carry(self, carrier: Carrier) -> None:
        """A way to other processes."""
        self._carriers = [*self._carriers, carrier]

    def drop(self, carrier: Carrier) -> None:
        """It leads nowhere any more."""
        self._carriers = [one for one in self._carriers if one != carrier]

    def ring(self, name: str) -> None:
        """Tell the others; callable from any thread."""
        for carrier in self._carriers:
            carrier(name)

    def ringer(self, name: str) -> Callable[[], None]:
        """`ring` of one bell."""
        return lambda: self.ring(name)

    def heard(self, name: str, by: Carrier | None = None) -> None:
        """A ring has come by this carrier: it goes on to the others."""
        for do in self._heard.get(name, []):
            do()
        for carrier in self._carriers:
            if carrier != by:
                carrier(name)
