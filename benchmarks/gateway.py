"""Requests a second and CPU a request: our gateway beside `mlflow models serve`.

Both serve the same pt2 folder on the same machine, get the same body at `/invocations`, and are
asked in turns. Both run one model process with one thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import serving_model
from benchmarks.figures import Figure, Sample, Target, compared, figure
from benchmarks.load import Endpoint, client_name, drive
from benchmarks.measuring import cpu_seconds, take_turns, tree
from tests.integration.serving_gateway.harness import AUTH, Gateway, deployment, version

PEER = "mlflow models serve"
TIMES = Target("ratio", low=3)
START_SECONDS = 120


@dataclass
class Side:
    """One server under load: what was measured of it, by number of clients."""

    endpoint: Endpoint
    processes: list[psutil.Process]
    folder: Path
    cpu_ms: dict[int, list[Sample]] = field(default_factory=dict)
    p99_ms: dict[int, list[Sample]] = field(default_factory=dict)

    def rate(self, clients: int, seconds: float) -> Sample:
        """Requests a second."""
        before = cpu_seconds(self.processes)
        found = drive(self.endpoint, clients, seconds, self.folder)
        cpu = cpu_seconds(self.processes) - before
        if found.errors or not found.requests:
            raise RuntimeError(f"{self.endpoint.url}: {found.errors} of {found.requests} failed")
        cost = Sample(1000 * cpu / found.requests, found.seconds, cpu)
        self.cpu_ms.setdefault(clients, []).append(cost)
        self.p99_ms.setdefault(clients, []).append(Sample(found.p99_ms, found.seconds, cpu))
        return Sample(found.requests / found.seconds, found.seconds, cpu)


def run(quick: bool) -> list[Figure]:
    """Rate, CPU and tail latency at 1 and at 16 clients; CPU and time of a start."""
    rounds, seconds = (2, 2.0) if quick else (5, 8.0)
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    figures: list[Figure] = []
    try:
        model = serving_model.save(folder / "model")
        with ExitStack() as stack:
            ours, our_start = stack.enter_context(_ours(model, folder))
            peer, peer_start = stack.enter_context(_mlflow(model, folder))
            _same_answers(ours, peer)
            for clients in (1, 16):
                figures += _compare(ours, peer, clients, rounds, seconds)
        figures.append(
            figure("model server start", "s", [our_start], [peer_start], PEER,
                   note="process start to first answer")
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _compare(ours: Side, peer: Side, clients: int, rounds: int, seconds: float) -> list[Figure]:
    sides = (ours, peer)
    for side in sides:  # caches, connections, first batches of that size
        drive(side.endpoint, clients, 1 if seconds < 5 else 2, side.folder)
    rates = take_turns(
        rounds, lambda: ours.rate(clients, seconds), lambda: peer.rate(clients, seconds)
    )
    words = f"{clients} client{'s' if clients > 1 else ''}"
    return [
        compared(f"gateway, {words}", "requests/s", rates, PEER, TIMES, f"load by {client_name()}"),
        compared(f"gateway CPU, {words}", "ms/request", [s.cpu_ms[clients] for s in sides],
               PEER, Target("ratio", high=1 / 3)),
        compared(f"gateway p99, {words}", "ms", [s.p99_ms[clients] for s in sides], PEER),
    ]  # fmt: skip


def _same_answers(ours: Side, peer: Side) -> None:
    """What is compared must be the same work."""
    mine, theirs = (_numbers(_ask(side.endpoint)) for side in (ours, peer))
    close = all(abs(a - b) < 1e-5 for a, b in zip(mine, theirs, strict=True))
    if not close:
        raise RuntimeError(f"the servers do not agree: {mine} and {theirs}")


def _numbers(answer: bytes) -> list[float]:
    first = json.loads(answer)["predictions"][0]
    return list(first.values() if isinstance(first, dict) else first)


def _ask(endpoint: Endpoint) -> bytes:
    headers = {"content-type": "application/json", **endpoint.headers}
    request = urllib.request.Request(endpoint.url, endpoint.body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


@contextmanager
def _ours(model: Path, folder: Path) -> Iterator[tuple[Side, Sample]]:
    home = folder / "gateway"
    home.mkdir(mode=0o700)
    gateway = Gateway(home)
    began = time.perf_counter()
    try:
        gateway.start()
        gateway.apply(small=deployment("1", {"1": version(model)}))
        assert gateway.process
        endpoint = Endpoint(f"{gateway.url}/invocations", serving_model.BODY, dict(AUTH))
        _ask(endpoint)
        took = time.perf_counter() - began
        processes = tree(gateway.process.pid)
        yield Side(endpoint, processes, folder), Sample(took, took, cpu_seconds(processes))
    finally:
        gateway.stop()


@contextmanager
def _mlflow(model: Path, folder: Path) -> Iterator[tuple[Side, Sample]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    processes: list[psutil.Process] = []
    try:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/invocations", serving_model.BODY, {})
        _first_answer(endpoint, process, folder / "mlflow.log")
        took = time.perf_counter() - began
        processes = tree(process.pid)
        yield Side(endpoint, processes, folder), Sample(took, took, cpu_seconds(processes))
    finally:
        for one in processes or tree(process.pid):
            with contextlib.suppress(psutil.Error):
                one.kill()
        process.wait(10)


def _first_answer(endpoint: Endpoint, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            _ask(endpoint)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{PEER} did not start: {log.read_text(errors='replace')[-2000:]}")
