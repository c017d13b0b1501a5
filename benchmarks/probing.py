"""Asks an HTTP server the same few things every tenth of a second, in a process of its own.

    python -m benchmarks.probing URL NAME=PATH...     (token in DLSYS_TOKEN)

It asks on time, whether or not the answers before have come, so a server that stands still is seen
in every question of that time. It ends when its standard input does, and prints a JSON object of
milliseconds by name.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from urllib.parse import urlsplit

PERIOD_SECONDS = 0.1
_LIMIT_SECONDS = 60.0
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Prober:
    """The other process. `end` gives what it has found."""

    def __init__(self, url: str, token: str, paths: dict[str, str]) -> None:
        asked = [f"{name}={path}" for name, path in paths.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.probing", url, *asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "DLSYS_TOKEN": token},
        )

    def end(self) -> dict[str, list[float]]:
        """Milliseconds of each answer; a wrong status or a broken connection is an error."""
        out, _ = self._process.communicate(timeout=_LIMIT_SECONDS + 30)
        if self._process.returncode:
            raise RuntimeError("the API did not answer while jobs ran; see stderr")
        found: dict[str, list[float]] = json.loads(out)
        return found


class _Asker:
    """One path; a connection more whenever all are waiting for an answer."""

    def __init__(self, url: str, token: str, path: str) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname or "127.0.0.1", where.port or 80
        head = (f"GET {path} HTTP/1.1", f"host: {where.netloc}", f"authorization: Bearer {token}")
        self._request = ("\r\n".join(head) + "\r\n\r\n").encode()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.milliseconds: list[float] = []

    async def ask(self) -> None:
        """Ask once; the time counts from here to the last byte."""
        began = time.perf_counter()
        door = self._free.pop() if self._free else await self._open()
        reader, writer = door
        writer.write(self._request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _LIMIT_SECONDS)
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if b" 200 " not in head[:16] or length is None:
            raise RuntimeError(f"not answered: {head[:200]!r}")
        await reader.readexactly(int(length[1]))
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self._free.append(door)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=2**20)


async def _probe(url: str, paths: dict[str, str]) -> dict[str, list[float]]:
    token = os.environ["DLSYS_TOKEN"]
    askers = {name: _Asker(url, token, path) for name, path in paths.items()}
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    asking: set[asyncio.Task[None]] = set()
    at = time.perf_counter()
    while not ended.done():
        for asker in askers.values():
            asking.add(asyncio.create_task(asker.ask()))
        at += PERIOD_SECONDS
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        for task in [task for task in asking if task.done()]:
            task.result()
            asking.discard(task)
    await asyncio.gather(*asking)
    return {name: asker.milliseconds for name, asker in askers.items()}


def main() -> None:
    """Entry point of the other process."""
    url, *asked = sys.argv[1:]
    paths = dict(one.split("=", 1) for one in asked)
    sys.stdout.write(json.dumps(asyncio.run(_probe(url, paths))))


if __name__ == "__main__":
    main()
