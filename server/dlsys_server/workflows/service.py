"""Verbs of schedules."""

from __future__ import annotations


class ScheduleService:
    """Create, change, fire."""
