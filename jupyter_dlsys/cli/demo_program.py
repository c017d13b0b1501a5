"""The demo's application: a plain program that knows a URL and a token, and nothing of ours."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 1e-3
TIMEOUT = 30.0
PAUSE = 0.05
BATCH = 32


@dataclass(frozen=True)
class Answer:
    """What the endpoint said of some texts, and which version of the model said it."""

    version: int
    labels: list[str]
    probabilities: list[list[float]]


class Program:
    """Calls an endpoint by the Open Inference Protocol with the standard library alone."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = f"{url}/infer", token
        # A loopback address is never behind a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, texts: Sequence[str]) -> Answer:
        """Labels of texts.

        Raises:
            OSError: no answer, or one that is no success.
        """
        tensor = {
            "name": "text",
            "datatype": "BYTES",
            "shape": [len(texts)],
            "data": list(texts),
        }
        request = urllib.request.Request(  # noqa: S310  the URL is the endpoint's
            self._url,
            data=json.dumps({"inputs": [tensor]}).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        with self._opener.open(request, timeout=TIMEOUT) as answer:
            found = json.load(answer)
        outputs = {output["name"]: output for output in found["outputs"]}
        flat = outputs["probabilities"]["data"]
        width = outputs["probabilities"]["shape"][1]
        return Answer(
            version=int(found["model_version"]),
            labels=outputs["label"]["data"],
            probabilities=[flat[i : i + width] for i in range(0, len(flat), width)],
        )


@dataclass(frozen=True)
class Replay:
    """Golden examples asked again."""

    examples: int
    matched: int
    max_difference: float


def replay(program: Program, golden: dict[str, Any]) -> Replay:
    """Ask for the golden texts and compare with what the notebook itself predicted."""
    texts, expected = golden["inputs"]["text"], golden["outputs"]
    matched, worst = 0, 0.0
    for start in range(0, len(texts), BATCH):
        found = program.ask(texts[start : start + BATCH])
        for offset, got in enumerate(found.probabilities):
            wanted = expected["probabilities"][start + offset]
            distance = max(abs(a - b) for a, b in zip(wanted, got, strict=True))
            same = found.labels[offset] == expected["label"][start + offset]
            matched += same and distance <= TOLERANCE
            worst = max(worst, distance)
    return Replay(len(texts), matched, worst)


@dataclass
class Traffic:
    """Asks without a pause for breath while something happens to the endpoint."""

    program: Program
    texts: Sequence[str]
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-traffic", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT)

    def saw(self, version: int, timeout: float) -> bool:
        """Wait until this version has answered; False when it did not in time."""
        end = time.monotonic() + timeout
        while version not in self.versions:
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            self.requests += 1
            try:
                version = self.program.ask(self.texts).version
            except (OSError, ValueError, KeyError) as error:
                self.failures.append(_what(error))
            else:
                if not self.versions or self.versions[-1] != version:
                    self.versions.append(version)
            self._stop.wait(PAUSE)


def _what(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code}: {error.read(300).decode('utf-8', 'replace')}"
    return f"{type(error).__name__}: {error}"
