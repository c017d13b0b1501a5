"""What the queue may give to each user and project now: the settings, and the quotas."""

from __future__ import annotations

import time

from dlsys_server.access.quotas import QuotaService
from dlsys_server.core.settings import Settings

from .queueing import Limits, Spent

FRESH_SECONDS = 1.0


class Allowances:
    """Limits for the queue, at most a second or two old. Not to be asked in an open session."""

    def __init__(self, settings: Settings, quotas: QuotaService) -> None:
        self.settings, self.quotas = settings, quotas
        self._found, self._read_at = Limits(), float("-inf")

    def __call__(self) -> Limits:
        """As they are now."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            self._found = self._read()
            self._read_at = time.monotonic()
        return self._found

    def _read(self) -> Limits:
        table, settings = self.quotas.table(), self.settings
        spent: dict[tuple[str, str], Spent] = {
            (one.kind, one.name): Spent(one.limit, one.words(), one.until())
            for one in self.quotas.positions("gpu_hours")
            if one.level == "full"
        }
        return Limits(
            user_jobs=table.of("user", "*").of("jobs"),
            user_cpus=settings.user_max_cpus,
            user_gpus=settings.user_max_gpus,
            project_jobs=table.of("project", "*").of("jobs"),
            project_gpus=settings.project_max_gpus,
            own_jobs={key: given.of("jobs") for key, given in table.rows.items()},
            spent=spent,
        )
