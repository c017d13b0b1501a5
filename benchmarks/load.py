"""Clients that keep posting one body: wrk where it is installed, else asyncio streams."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LUA = """\
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
{headers}
function done(summary, latency, requests)
  io.write(string.format("FOUND %d %d %d %f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True)
class Endpoint:
    """What to post where."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Rate:
    """What came back: answers, seconds, how many were no 200, latency that 99 % stay below."""

    requests: int
    seconds: float
    errors: int
    p99_ms: float


def client_name() -> str:
    """Which client `drive` uses."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def drive(endpoint: Endpoint, clients: int, seconds: float, folder: Path) -> Rate:
    """Post with `clients` connections, each sending when it has its answer."""
    if shutil.which("wrk"):
        return _wrk(endpoint, clients, seconds, folder)
    return asyncio.run(_streams(endpoint, clients, seconds))


def _wrk(endpoint: Endpoint, clients: int, seconds: float, folder: Path) -> Rate:
    script = folder / "post.lua"
    headers = "\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in endpoint.headers.items())
    script.touch(mode=0o600)
    script.write_text(_LUA.format(body=endpoint.body.decode(), headers=headers))
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    command += ["-s", str(script), endpoint.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"FOUND (\d+) (\d+) (\d+) ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said: {done.stdout}{done.stderr}")
    return Rate(int(found[1]), int(found[2]) / 1e6, int(found[3]), float(found[4]))


async def _streams(endpoint: Endpoint, clients: int, seconds: float) -> Rate:
    latencies: list[float] = []
    errors = 0
    began = time.perf_counter()

    async def ask() -> None:
        nonlocal errors
        where = urlsplit(endpoint.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        request = _request(endpoint)
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            latencies.append(time.perf_counter() - sent)
            errors += b" 200 " not in head[:16]
        writer.close()

    await asyncio.gather(*(ask() for _ in range(clients)))
    took = time.perf_counter() - began
    slow = sorted(latencies)[int(0.99 * (len(latencies) - 1))] * 1000 if latencies else 0.0
    return Rate(len(latencies), took, errors, slow)


def _request(endpoint: Endpoint) -> bytes:
    where = urlsplit(endpoint.url)
    headers = {
        "host": where.netloc,
        "content-type": "application/json",
        "content-length": str(len(endpoint.body)),
        **endpoint.headers,
    }
    lines = [f"POST {where.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + endpoint.body
