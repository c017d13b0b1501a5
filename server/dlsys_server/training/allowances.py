"""What the queue may give to each user and project now: the settings, and the quotas."""

from __future__ import annotations

from collections.abc import Sequence

from dlsys_server.access.quota_words import Standing
from dlsys_server.access.quotas import LimitTable, QuotaService
from dlsys_server.core.settings import Settings

from .queueing import Limits, Spent


class Allowances:
    """Limits for the queue, from the same figures by which running jobs are stopped: what takes the
    place of a stopped job must not be started by older ones. Not to be asked in an open session."""

    def __init__(self, settings: Settings, quotas: QuotaService) -> None:
        self.settings, self.quotas = settings, quotas
        self._from: tuple[LimitTable, Sequence[Standing]] | None = None
        self._found = Limits()

    def __call__(self) -> Limits:
        """As they are now."""
        table, positions = self.quotas.table(), self.quotas.positions("gpu_hours")
        if self._from is None or self._from[0] is not table or self._from[1] is not positions:
            self._found = self._limits(table, positions)
            self._from = table, positions
        return self._found

    def _limits(self, table: LimitTable, positions: Sequence[Standing]) -> Limits:
        settings = self.settings
        spent: dict[tuple[str, str], Spent] = {
            (one.kind, one.name): Spent(one.limit, one.words(), one.until())
            for one in positions
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
