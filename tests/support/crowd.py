"""Many people at work at once, each as the server of a hub does it: by HTTP, with a token and an
open stream of events."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Act = Callable[[], Awaitable[Any]]
PROJECT = "/projects/vision"
SHOWN_CHARACTERS = 300
ENDED = ("succeeded", "failed", "cancelled", "lost", "skipped")


@dataclass
class Record:
    """What all of them were told."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    commits: Counter[str] = field(default_factory=Counter)
    jobs: list[str] = field(default_factory=list)
    events: int = 0

    def note(self, what: str, began: float, answer: httpx.Response) -> None:
        self.seconds[what].append(time.monotonic() - began)
        if answer.status_code >= 300:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text[:SHOWN_CHARACTERS]}")

    def table(self) -> str:
        """Calls, median, 95th percentile and longest, in ms."""
        lines = [f"{'call':12}{'n':>7}{'p50':>8}{'p95':>8}{'max':>8}  ms"]
        for what, times in sorted(self.seconds.items()):
            ordered = sorted(1000 * t for t in times)
            marks = (ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], ordered[-1])
            lines.append(f"{what:12}{len(ordered):7}" + "".join(f"{mark:8.0f}" for mark in marks))
        return "\n".join(lines)


class Person:
    """Somebody in a server of their own.

    Args:
        name, token: who.
        url: of the platform's API.
        key, endpoint: what an application of theirs predicts with.
    """

    def __init__(
        self, name: str, token: str, url: str, record: Record, key: str, endpoint: str
    ) -> None:
        self.name, self.record, self.key, self.endpoint = name, record, key, endpoint
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.AsyncClient(
            base_url=url, headers=headers, verify=False, trust_env=False, timeout=60
        )
        self._numbers = itertools.count(1)

    async def call(self, what: str, method: str, path: str, **more: Any) -> httpx.Response:
        began = time.monotonic()
        try:
            answer = await self.http.request(method, path, **more)
        except httpx.TransportError as error:
            answer = httpx.Response(599, text=repr(error))
        self.record.note(what, began, answer)
        return answer

    async def listen(self) -> None:
        """As an open page: every event of the projects."""
        async with self.http.stream("GET", "/events", timeout=60) as answer:
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                self.record.events += line.startswith("data:")

    # -- what they do

    async def look(self) -> None:
        """Lists, as the panel asks for them."""
        for what in ("datasets", "jobs", "models", "deployments"):
            await self.call(what, "GET", f"{PROJECT}/{what}")
        await self.call("whoami", "GET", "/whoami")

    async def make_dataset(self) -> None:
        body = {"name": f"of-{self.name}", "kind": "generic"}
        await self.call("create", "POST", f"{PROJECT}/datasets", json=body)

    async def commit(self) -> None:
        """A version with one row more."""
        name, number = f"of-{self.name}", next(self._numbers)
        made = await self.call("upload", "POST", f"{PROJECT}/uploads", params={"filename": "a.csv"})
        if made.status_code >= 300:
            return
        upload = made.json()["id"]
        content = f"n,text\n{number},a\n".encode()
        path = f"{PROJECT}/uploads/{upload}"
        await self.call("send", "PUT", path, params={"offset": 0}, content=content)
        body = {"message": str(number), "files": [{"upload": upload}]}
        path = f"{PROJECT}/datasets/{name}"
        done = await self.call("commit", "POST", f"{path}/commits", json=body)
        if done.status_code == 201:
            self.record.commits[name] += 1
            await self.call("rows", "GET", f"{path}/rows", params={"limit": 100})

    async def submit(self) -> None:
        """A job, and what its page shows."""
        body = {"source": {"path": "t.py", "content": f"print({next(self._numbers)})\n"}}
        done = await self.call("submit", "POST", f"{PROJECT}/jobs", json=body)
        if done.status_code == 201:
            job = done.json()["id"]
            self.record.jobs.append(job)
            await self.call("job", "GET", f"{PROJECT}/jobs/{job}")
            await self.call("job events", "GET", f"{PROJECT}/jobs/{job}/events")

    async def predict(self) -> None:
        data = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good day"]}
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.endpoint}/infer"
        await self.call("predict", "POST", url, json={"inputs": [data]}, headers=headers)


async def work(people: list[Person], seconds: float) -> None:
    """All of them for so long, each in one of four professions."""
    until = time.monotonic() + seconds
    kinds: list[Callable[[Person], tuple[Act, float]]] = [
        lambda person: (person.commit, 6.0),
        lambda person: (person.submit, 25.0),
        lambda person: (person.predict, 1.0),
        lambda person: (person.look, 5.0),
    ]
    makers = [person for number, person in enumerate(people) if number % len(kinds) == 0]
    await asyncio.gather(*(person.make_dataset() for person in makers))
    streams = [asyncio.create_task(person.listen()) for person in people]
    every = len(people)
    await asyncio.gather(
        *(
            _repeat(*kinds[number % len(kinds)](person), number / every, until)
            for number, person in enumerate(people)
        )
    )
    broken = [repr(task.exception()) for task in streams if task.done()]
    for task in streams:
        task.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    await asyncio.gather(*(person.http.aclose() for person in people))
    people[0].record.wrong += [f"stream: {error}" for error in broken]


async def _repeat(act: Act, pause: float, phase: float, until: float) -> None:
    """Again and again; `phase` of a pause later than the others, so that they come spread out."""
    await asyncio.sleep(pause * phase)
    while time.monotonic() < until:
        began = time.monotonic()
        await act()
        await asyncio.sleep(max(0.0, began + pause - time.monotonic()))
