"""What is remembered of the hub: for how long, when it is away, and asked once by many."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dlsys_server.access.memory import REMEMBERED, Memory
from dlsys_server.core.errors import Unavailable


class Hub:
    def __init__(self) -> None:
        self.says: str | None = "ann"
        self.away = False
        self.asked = 0

    def __call__(self) -> str | None:
        self.asked += 1
        if self.away:
            raise Unavailable("The hub is away.")
        return self.says


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(clock):
    return Memory(60, 900, clock)


def test_it_asks_once_a_minute(memory, clock):
    hub = Hub()
    assert memory.of("t", hub) == "ann"
    hub.says = None  # revoked
    clock.now += 59
    assert memory.of("t", hub) == "ann" and hub.asked == 1
    clock.now += 1
    assert memory.of("t", hub) is None


def test_what_must_be_fresh_is_asked_at_once(memory, clock):
    hub = Hub()
    memory.of("t", hub)
    clock.now += 1
    hub.says = None
    assert memory.of("t", hub, fresh=True) is None
    assert memory.of("t", hub) is None, "and others learn from it"


def test_nothing_is_not_remembered_for_long(memory, clock):
    hub = Hub()
    hub.says = None
    assert memory.of("t", hub) is None
    hub.says = "ann"
    clock.now += 4
    assert memory.of("t", hub) is None
    clock.now += 1
    assert memory.of("t", hub) == "ann"


def test_while_the_hub_is_away_those_it_knew_go_on_for_a_while(memory, clock):
    hub = Hub()
    memory.of("t", hub)
    hub.away = True
    clock.now += 800
    assert memory.of("t", hub) == "ann"
    with pytest.raises(Unavailable):
        memory.of("t", hub, fresh=True)
    with pytest.raises(Unavailable):
        memory.of("new", hub)
    clock.now += 101
    with pytest.raises(Unavailable):
        memory.of("t", hub)
    hub.away = False
    assert memory.of("t", hub) == "ann"


def test_one_that_was_refused_does_not_come_in_while_the_hub_is_away(memory, clock):
    hub = Hub()
    hub.says = None
    memory.of("t", hub)
    hub.away = True
    clock.now += 10
    with pytest.raises(Unavailable):
        memory.of("t", hub)


def test_many_at_once_ask_once():
    memory: Memory[str] = Memory(60, 900)
    asked = []
    gate = threading.Barrier(16)

    def ask() -> str:
        asked.append(1)
        time.sleep(0.1)
        return "ann"

    def one(_: int) -> str | None:
        gate.wait(10)
        return memory.of("t", ask)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(16))) == {"ann"}
    assert len(asked) == 1


def test_it_does_not_grow_for_ever(memory):
    hub = Hub()
    for number in range(REMEMBERED + 10):
        memory.of(str(number), hub)
    before = hub.asked
    memory.of(str(REMEMBERED + 9), hub)
    assert hub.asked == before
    memory.of("0", hub)
    assert hub.asked == before + 1
