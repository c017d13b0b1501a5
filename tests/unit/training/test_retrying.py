"""Which attempts are tried again, when and with what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.training.retrying import Ended, back_off, decide

GIB = 2**30
NEVER = ("user-error", "timeout", "cancelled", "launch-failed", "upstream", "anything", None)


@pytest.mark.parametrize("reason", NEVER)
def test_what_would_fail_again_is_final(reason):
    assert decide(Ended(reason, 1, 20, GIB, 64 * GIB), 0) is None


@pytest.mark.parametrize(
    ("reason", "words"), [("lost", "the worker was lost"), ("killed", "killed")]
)
def test_what_the_machine_did_is_tried_again_until_attempts_are_used_up(reason, words):
    again = decide(Ended(reason, 1, 2, GIB), 0)
    assert (again.attempt, again.seconds, again.memory) == (2, 2, GIB)
    assert again.reason.startswith("Attempt 2 of 3 in 2 s: ")
    assert words in again.reason
    assert decide(Ended(reason, 2, 2), 0).attempt == 3
    assert decide(Ended(reason, 3, 2), 0) is None
    assert decide(Ended(reason, 1, 0), 0) is None


def test_out_of_memory_gets_twice_as_much_up_to_what_is_allowed():
    reason = "out-of-memory"
    assert decide(Ended(reason, 1, 5, GIB, 3 * GIB), 0).memory == 2 * GIB
    assert decide(Ended(reason, 2, 5, 2 * GIB, 3 * GIB), 0).memory == 3 * GIB
    assert decide(Ended(reason, 3, 5, 3 * GIB, 3 * GIB), 0) is None
    assert decide(Ended(reason, 1, 5, GIB, None), 0) is None
    assert decide(Ended(reason, 1, 5, None, GIB), 0) is None
    assert "2,048 MiB" in decide(Ended(reason, 1, 5, GIB, 3 * GIB), 0).reason


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_the_wait_grows_to_five_minutes(attempt, chance):
    longest = min(300, 2.0 ** min(attempt, 20))
    assert 0.75 * longest <= back_off(attempt, chance) <= longest
