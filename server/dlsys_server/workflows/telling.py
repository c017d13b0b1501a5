"""Tells the event log about schedules, in the transaction of the change."""

from __future__ import annotations

from sqlalchemy.orm import Session

from dlsys_server.core.events import EventLog

from .tables import FiringRow, ScheduleRow


class Teller:
    """Writes `schedule.changed` and `schedule.fired`."""

    def __init__(self, events: EventLog) -> None:
        self.events = events

    def changed(self, session: Session, row: ScheduleRow, actor: str) -> None:
        """The schedule is new, different, paused or gone."""
        self.events.append(
            session,
            "schedule.changed",
            project=row.project,
            subject=f"schedule/{row.id}",
            actor=actor,
            payload={
                "id": row.id,
                "name": row.name,
                "cron": row.cron,
                "timezone": row.timezone,
                "paused": row.paused,
                "removed": row.removed,
            },
        )

    def fired(self, session: Session, row: ScheduleRow, firing: FiringRow) -> None:
        """A due time came, or what comes of it is known now."""
        self.events.append(
            session,
            "schedule.fired",
            project=row.project,
            subject=f"schedule/{row.id}",
            actor=row.owner,
            payload={
                "id": row.id,
                "name": row.name,
                "due_at": firing.due_at.isoformat(),
                "state": firing.state,
                "reason": firing.reason,
                "job": firing.job_id,
            },
        )
