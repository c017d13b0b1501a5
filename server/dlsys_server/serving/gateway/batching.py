"""The queue of one model version: what waits, what the next batch is, whether more may come in."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import Any

from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import Rows

MAX_QUEUED_ROWS = 20_000
MAX_QUEUED_BYTES = 256 << 20
_KEPT_TIMES = 64
Want = str | list[tuple[int, bool]]


class Part:
    """Rows of one request, at most a batch of them, and the future of their answer (fragments)."""

    __slots__ = ("alone", "deadline", "deaths", "future", "rows", "shapes", "size", "want")

    def __init__(self, rows: Rows, want: Want, deadline: float | None) -> None:
        self.rows = rows
        self.want = want
        self.deadline = deadline
        self.shapes = tuple(cell.shape for cell in rows.cells)
        self.size = sum(len(cell.raw) for cell in rows.cells)
        self.future: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self.deaths = 0
        self.alone = False

    def fail(self, refusal: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(refusal)

    def wanted(self) -> bool:
        """False when nobody waits for it any more; tells the client when its deadline passed."""
        if self.future.done():
            return False
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.fail(Refusal(504, "the deadline passed while the request was waiting"))
            return False
        return True


class BatchQueue:
    """Greedy: a batch is whatever waits when the worker gets free. There is no timer."""

    def __init__(self) -> None:
        self._parts: deque[Part] = deque()
        self._rows = 0
        self._bytes = 0
        self._times: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._batch_seconds = 0.0

    def __len__(self) -> int:
        return len(self._parts)

    def admit(self, rows: Rows, max_batch: int, slo_ms: float | None, not_ready_s: float) -> None:
        """Raise Refusal 503 when the predicted wait exceeds the SLO, or when too much waits
        already.

        `not_ready_s` is how long the worker will probably not take work.
        """
        wait = not_ready_s + (self._rows / max_batch + 1.5) * self._batch_seconds
        if slo_ms is not None and wait * 1000 > slo_ms:
            raise Refusal(
                503,
                f"overloaded: the predicted wait of {wait * 1000:.0f} ms exceeds the "
                f"limit of {slo_ms:g} ms",
                retry_after=max(1, math.ceil(wait)),
            )
        size = sum(len(cell.raw) for cell in rows.cells)
        if self._rows + rows.count > MAX_QUEUED_ROWS and self._rows:
            raise Refusal(503, "overloaded: the queue is full", retry_after=max(1, math.ceil(wait)))
        if self._bytes + size > MAX_QUEUED_BYTES:
            raise Refusal(503, "overloaded: the queue is full", retry_after=max(1, math.ceil(wait)))

    def put(self, part: Part) -> None:
        self._parts.append(part)
        self._count(part, 1)

    def put_back(self, parts: list[Part]) -> None:
        """To the front, for another try."""
        for part in reversed(parts):
            self._parts.appendleft(part)
            self._count(part, 1)

    def take(self, max_batch: int) -> list[Part]:
        """The next batch: parts of equal item shapes, up to `max_batch` rows.

        A suspect goes alone.
        """
        batch: list[Part] = []
        rows = 0
        while self._parts:
            part = self._parts[0]
            if part.wanted():
                if batch and (
                    part.alone
                    or part.shapes != batch[0].shapes
                    or rows + part.rows.count > max_batch
                ):
                    break
                batch.append(part)
                rows += part.rows.count
            self._parts.popleft()
            self._count(part, -1)
            if batch and batch[0].alone:
                break
        return batch

    def fail_all(self, refusal: Exception) -> None:
        while self._parts:
            part = self._parts.popleft()
            self._count(part, -1)
            part.fail(refusal)

    def took(self, seconds: float) -> None:
        """Learn how long a batch takes: a high quantile, so that the promise holds for most."""
        self._times.append(seconds)
        ordered = sorted(self._times)
        self._batch_seconds = ordered[int(0.9 * (len(ordered) - 1))]

    def _count(self, part: Part, sign: int) -> None:
        self._rows += sign * part.rows.count
        self._bytes += sign * part.size


def message(batch: list[Part]) -> tuple[dict[str, Any], bytes]:
    """The batch as a message to the worker: tensors input by input, part after part."""
    parts = [
        {"rows": p.rows.count, "want": p.want, "inputs": [_cell(c) for c in p.rows.cells]}
        for p in batch
    ]
    width = len(batch[0].rows.cells)
    blob = b"".join(part.rows.cells[index].raw for index in range(width) for part in batch)
    return {"type": "predict", "parts": parts}, blob


def _cell(cell: Any) -> dict[str, Any]:
    if cell.values is not None:
        return {"values": cell.values}
    return {"size": len(cell.raw), "shape": cell.shape}
