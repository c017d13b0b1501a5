"""A few people at work on a platform, and what they were told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import httpx

from tests.support.installation import ENDED, PROJECT, Team

PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    who: str
    at: float
    seconds: float
    status: int  # 0: no connection
    text: str


class Load:
    """Threads that commit, submit, predict, read and look at MLflow until they are stopped."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.answers: list[Answer] = []
        self.commits: list[int] = []
        self.jobs: list[str] = []
        self.dataset = f"load-{time.time_ns()}"
        self._end = threading.Event()
        self._client = team.client()
        work: dict[str, tuple[Callable[[], httpx.Response | None], float]] = {
            "commit": (self._commit, 0.3),
            "submit": (self._submit, 3.0),
            "read": (lambda: self._client.get(f"{PROJECT}/datasets"), 0.2),
            "rows": (self._rows, 0.3),
            "mlflow": (self._mlflow, 0.5),
            "public": (self._public, 0.3),
            "gateway": (self._predict, 0.1),
        }
        self._threads = [
            threading.Thread(target=self._work, args=(who, *todo), daemon=True)
            for who, todo in work.items()
        ]
        self._who = list(work)

    def __enter__(self) -> Load:
        made = self._client.post(
            f"{PROJECT}/datasets", json={"name": self.dataset, "kind": "generic"}
        )
        assert made.status_code == 201, made.text
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._client.close()

    def stop(self) -> None:
        """Everybody ends what is under way."""
        self._end.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    # -- what they do

    def _work(self, who: str, act: Callable[[], httpx.Response | None], pause: float) -> None:
        while not self._end.is_set():
            at = time.monotonic()
            try:
                answer = act()
                status, text = (answer.status_code, answer.text) if answer is not None else (0, "")
            except httpx.TransportError as error:
                status, text = 0, repr(error)
            self.answers.append(Answer(who, at, time.monotonic() - at, status, text))
            self._end.wait(pause)

    def _commit(self) -> httpx.Response:
        upload = self._client.post(f"{PROJECT}/uploads", params={"filename": "a.csv"})
        if upload.status_code >= 400:
            return upload
        number = len(self.answers)
        path = f"{PROJECT}/uploads/{upload.json()['id']}"
        content = f"n,text\n{number},a\n{number},b\n".encode()
        sent = self._client.put(path, params={"offset": 0}, content=content)
        if sent.status_code >= 400:
            return sent
        body = {"message": str(number), "files": [{"upload": upload.json()["id"]}]}
        answer = self._client.post(f"{PROJECT}/datasets/{self.dataset}/commits", json=body)
        if answer.status_code == 201:
            self.commits.append(answer.json()["version"])
        return answer

    def _submit(self) -> httpx.Response:
        answer = self._send("print('done')\n")
        if answer.status_code == 201:
            self.jobs.append(answer.json()["id"])
        return answer

    def _send(self, script: str) -> httpx.Response:
        body = {"source": {"path": "t.py", "content": script}}
        return self._client.post(f"{PROJECT}/jobs", json=body)

    def _rows(self) -> httpx.Response:
        return self._client.get(f"{PROJECT}/datasets/{self.dataset}/commits")

    def _mlflow(self) -> httpx.Response:
        url = self.team.api.replace("/api/v1", "/mlflow/api/2.0/mlflow/experiments/search")
        headers = {"X-MLFLOW-WORKSPACE": "vision"}
        return self._client.post(url, json={"max_results": 5}, headers=headers)

    def _public(self) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.team.token}"}
        return httpx.get(
            f"{self.team.public}/whoami",
            headers=headers,
            verify=False,
            trust_env=False,
            timeout=PATIENCE,
        )

    def _predict(self) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.team.key}"}
        data = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good day"]}
        url = f"{self.team.endpoint}/infer"
        return httpx.post(
            url, json={"inputs": [data]}, headers=headers, verify=False, timeout=PATIENCE
        )

    # -- what the test asks

    def submit(self, script: str) -> str:
        """A job besides the load's own."""
        answer = self._send(script)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def state(self, job: str) -> str:
        return str(self._client.get(f"{PROJECT}/jobs/{job}").json().get("state"))

    def until_all_did_something(self) -> None:
        """Everybody has worked once since the start."""
        self._until_good(time.monotonic() - 1000, 60, "to work at all")

    def until_all_succeed(self, seconds: float) -> None:
        """Everybody has begun and done something since now."""
        self._until_good(time.monotonic(), seconds, "to work again")

    def _until_good(self, since: float, seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while left := set(self._who) - {
            a.who for a in list(self.answers) if a.at >= since and 200 <= a.status < 300
        }:
            last = {a.who: (a.status, a.text[:300]) for a in self.answers if a.who in left}
            assert time.monotonic() < end, f"waited {seconds:g} s for {left} {what}: {last}"
            time.sleep(0.1)

    def check_answers(self, part: str, longest: float) -> None:
        """Good ones, and plain 503; the endpoint's own address always answers."""
        for answer in self.answers:
            assert answer.seconds < longest, answer
            good = 200 <= answer.status < 300
            if answer.who == "gateway":
                assert good, (part, answer)
            elif answer.who == "public" and part in ("hub", "proxy"):
                continue  # the proxy speaks, or nobody
            elif not good:
                assert answer.status == 503 and "hint" in answer.text, (part, answer)

    def check_acknowledged(self, steady: str) -> None:
        """Each commit is there and whole, each job was done."""
        versions = {
            v["version"]: v["rows"]
            for v in self._client.get(
                f"{PROJECT}/datasets/{self.dataset}/commits", params={"limit": 200}
            ).json()["items"]
        }
        assert set(self.commits) <= set(versions)
        assert len(set(self.commits)) == len(self.commits) > 0
        assert all(rows == 2 * version for version, rows in versions.items()), versions
        newest = max(versions)
        exported = self._client.get(
            f"{PROJECT}/datasets/{self.dataset}/export", params={"format": "csv"}
        )
        assert exported.status_code == 200
        assert len(exported.text.splitlines()) == 1 + 2 * newest
        for job in (steady, *self.jobs):
            self.team.platform.wait(lambda job=job: self.state(job) in ENDED, f"job {job}", 90)
            assert self.state(job) == "succeeded", self._client.get(f"{PROJECT}/jobs/{job}").text
        found = self._client.get(f"{PROJECT}/jobs/{steady}").json()
        assert found["metrics"] == {"step": 9.0} and found["attempt"] == 1

    def summary(self) -> str:
        """Answers by who and status."""
        counts = Counter((a.who, a.status) for a in self.answers)
        longest = max(a.seconds for a in self.answers)
        told = ", ".join(f"{who} {status}: {n}" for (who, status), n in sorted(counts.items()))
        return f"{told}; longest {longest:.1f} s"
