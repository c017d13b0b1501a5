"""What goes into a batch, what is refused, what is dropped."""

from __future__ import annotations

import asyncio
import time

import pytest

from dlsys_server.serving.gateway.batching import BatchQueue, Part, message
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import Cell, Rows


def _part(count: int = 1, shape: tuple[int, ...] = (), deadline: float | None = None) -> Part:
    return Part(Rows(count, [Cell(raw=b"abcd" * count, shape=shape)]), "rows", deadline)


async def test_takes_up_to_a_batch_in_order() -> None:
    queue = BatchQueue()
    parts = [_part(3) for _ in range(4)]
    for part in parts:
        queue.put(part)
    assert queue.take(8) == parts[:2]
    assert queue.take(8) == parts[2:]
    assert queue.take(8) == []


async def test_suspects_and_other_shapes_go_apart() -> None:
    queue = BatchQueue()
    first, suspect, after, wide = _part(), _part(), _part(), _part(shape=(2,))
    suspect.alone = True
    for part in (first, suspect, after, wide):
        queue.put(part)
    assert [queue.take(32) for _ in range(4)] == [[first], [suspect], [after], [wide]]


async def test_drops_what_nobody_waits_for() -> None:
    queue = BatchQueue()
    gone, late, good = _part(), _part(deadline=time.monotonic() - 1), _part()
    for part in (gone, late, good):
        queue.put(part)
    gone.future.cancel()
    assert queue.take(32) == [good]
    with pytest.raises(Refusal) as refusal:
        await late.future
    assert refusal.value.status == 504


async def test_admission_by_predicted_wait() -> None:
    queue = BatchQueue()
    rows = Rows(1, [Cell(values=["a"])])
    queue.took(0.1)
    queue.admit(rows, 1, 200, 0)
    for _ in range(2):
        queue.put(_part())
    with pytest.raises(Refusal) as refusal:
        queue.admit(rows, 1, 200, 0)
    assert refusal.value.status == 503
    assert refusal.value.retry_after
    queue.admit(rows, 1, None, 0)
    queue.take(1), queue.take(1)
    queue.admit(rows, 1, 200, 0)


async def test_message_holds_tensors_input_by_input() -> None:
    def two(a: bytes, b: bytes) -> Part:
        return Part(Rows(1, [Cell(raw=a), Cell(raw=b)]), "rows", None)

    header, blob = message([two(b"a1", b"b1"), two(b"a2", b"b2")])
    assert blob == b"a1a2b1b2"
    assert [part["rows"] for part in header["parts"]] == [1, 1]
    await asyncio.sleep(0)
