"""Runs and their curves."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.results import Run
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.runs import MetricSeries


class Runs(Resource):
    """MLflow runs of a project, with the jobs that made them."""

    def list(
        self, experiment: str | None = None, filter: str | None = None, limit: int | None = None
    ) -> Listing[Run]:
        """Runs, newest first; `filter` in MLflow's words, e.g. "metrics.accuracy > 0.8"."""
        query = {"experiment": experiment, "filter": filter}
        return self._all(Run, self._path("runs"), query, limit)

    def show(self, run_id: str) -> Run:
        """One run."""
        return self._connection.get(Run, self._path("runs", run_id))

    def metrics(
        self, run_id: str, key: str | Sequence[str] | None = None, points: int = 500
    ) -> Listing[MetricSeries]:
        """Metric curves, thinned to at most `points` each, spikes kept."""
        keys = [key] if isinstance(key, str) else list(key or ())
        path = self._path("runs", run_id, "metrics")
        query = {"key": keys, "points": points}
        return Listing(self._connection.get(list[MetricSeries], path, query))
