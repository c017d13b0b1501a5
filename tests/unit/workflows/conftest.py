"""The platform's rooms on a database of their own, with nothing started and a clock to be set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from dlsys_server.access.embedded import ALL
from dlsys_server.access.principals import Principal
from dlsys_server.api.paging import Paging
from dlsys_server.building import build
from dlsys_server.core.settings import Settings
from dlsys_server.parts import Parts
from dlsys_server.training.tables import JobRow
from dlsys_server.workflows.tables import ScheduleRow
from jupyter_dlsys.contract.jobs import SourceFile, SubmitRequest
from jupyter_dlsys.contract.schedules import Firing, Schedule, ScheduleRequest

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
P = "default"


@dataclass
class Room:
    """Schedules whose clock shows `now`; jobs are queued and never run."""

    parts: Parts
    owner: Principal
    now: datetime = NOON

    def submission(self, **more: Any) -> SubmitRequest:
        return SubmitRequest(source=SourceFile(path="t.py", content="print(1)"), **more)

    def create(
        self, cron: str = "0 * * * *", caller: Principal | None = None, **more: Any
    ) -> Schedule:
        """A schedule made at `now`."""
        more.setdefault("submission", self.submission())
        body = ScheduleRequest(cron=cron, **more)
        made = self.parts.schedules.create(caller or self.owner, P, body, None)
        self.set(made.id, next_at=self.after(made))
        return made

    def after(self, schedule: Schedule) -> datetime | None:
        from dlsys_server.workflows.expressions import known

        return known(schedule.cron, schedule.timezone).after(self.now)

    def set(self, schedule_id: str, **values: Any) -> None:
        """Change the row behind the service's back."""
        with self.parts.database.write() as session:
            session.execute(
                update(ScheduleRow).where(ScheduleRow.id == schedule_id).values(**values)
            )

    def tick(self, **later: float) -> float:
        """Let time pass, then look."""
        self.now += timedelta(**later)
        return self.parts.schedules.firer.tick()

    def history(self, schedule: Schedule) -> list[Firing]:
        """Oldest first."""
        return self.parts.schedules.history(P, schedule.id, Paging(500)).items[::-1]

    def told(self, schedule: Schedule) -> list[tuple[str, str]]:
        """(HH:MM, state) of each firing, oldest first."""
        return [(f"{f.due_at:%H:%M}", f.state) for f in self.history(schedule)]

    def jobs(self, schedule: Schedule) -> list[JobRow]:
        """Oldest first."""
        query = select(JobRow).where(JobRow.schedule == schedule.id).order_by(JobRow.id)
        with self.parts.database.read() as session:
            return list(session.scalars(query))

    def end(self, job: str | None, state: str = "succeeded") -> None:
        """As if the job had run."""
        with self.parts.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(state=state))


def room_on(home: Path, url: str = "") -> Room:
    """Rooms on a new data folder, and on the database of `url`."""
    home.mkdir(exist_ok=True)
    settings = Settings(home=home, database_url=url, warm=False)
    parts = build(settings, "secret", lambda: "", "0")
    parts.database.migrate()
    room = Room(parts, Principal.of(settings.user, "user", P, (P,), ALL))
    parts.schedules.firer.now = lambda: room.now
    return room


@pytest.fixture
def room(dlsys_home: Path) -> Iterator[Room]:
    """On SQLite."""
    found = room_on(dlsys_home)
    yield found
    found.parts.database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def any_room(request: pytest.FixtureRequest) -> Iterator[Callable[[], Room]]:
    """Makes rooms on one database and store: SQLite, then PostgreSQL."""
    # The server first: what starts after `dlsys_home` has to end with it.
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    home = request.getfixturevalue("dlsys_home")
    made: list[Room] = []

    def make() -> Room:
        made.append(room_on(home, url))
        return made[-1]

    yield make
    for found in made:
        found.parts.database.close()
