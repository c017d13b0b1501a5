"""`/metrics` in Prometheus' text form."""

from __future__ import annotations

from collections.abc import Iterable

from dlsys_server.serving.gateway.deployment import Deployment
from dlsys_server.serving.gateway.statistics import BUCKETS


def render(deployments: Iterable[Deployment]) -> bytes:
    """Counters, latency histogram and health of the given deployments."""
    every = list(deployments)
    lines = ["# TYPE dlsys_requests_total counter"]
    for d in every:
        for status, count in sorted(d.statistics.by_status.items()):
            lines.append(f'dlsys_requests_total{{{_labels(d)},status="{status}"}} {count}')
    lines.append("# TYPE dlsys_request_seconds histogram")
    for d in every:
        lines += _histogram(d)
    lines.append("# TYPE dlsys_worker_restarts_total counter")
    lines += [f"dlsys_worker_restarts_total{{{_labels(d)}}} {d.restarts()}" for d in every]
    lines.append("# TYPE dlsys_deployment_ready gauge")
    lines += [_ready(d) for d in every]
    return ("\n".join(lines) + "\n").encode()


def _ready(d: Deployment) -> str:
    version = _escape(d.serving.version) if d.serving else ""
    ready = int(d.state() in ("ready", "degraded"))
    return f'dlsys_deployment_ready{{{_labels(d)},version="{version}"}} {ready}'


def _histogram(d: Deployment) -> list[str]:
    lines, total = [], 0
    for bound, count in zip([*map(str, BUCKETS), "+Inf"], d.statistics.histogram, strict=True):
        total += count
        lines.append(f'dlsys_request_seconds_bucket{{{_labels(d)},le="{bound}"}} {total}')
    lines.append(f"dlsys_request_seconds_sum{{{_labels(d)}}} {d.statistics.seconds_sum:.6f}")
    lines.append(f"dlsys_request_seconds_count{{{_labels(d)}}} {total}")
    return lines


def _labels(d: Deployment) -> str:
    return f'deployment="{_escape(d.name)}",project="{_escape(d.spec.project)}"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
