"""A soft stop: the user's code is interrupted and has time to save, then it is ended."""

from __future__ import annotations

import time

import pytest

from .conftest import Attempt, alive, wait_for

SAVES = """
import time
print("so far", flush=True)
try:
    time.sleep(300)
except KeyboardInterrupt:
    time.sleep(1.5)  # longer than a cancel would wait
    open("saved", "w").write("all")
"""


def softly(attempt: Attempt, seconds: float = 10) -> None:
    part = attempt.folder / "cancel.tmp"
    part.write_text(str(seconds))
    part.rename(attempt.folder / "cancel")


@pytest.mark.parametrize("kind", ["notebook", "script"])
def test_the_code_is_interrupted_and_may_save(attempt: Attempt, kind: str) -> None:
    if kind == "notebook":
        attempt.notebook(SAVES, "open('next', 'w').write('')", grace=1.5, cancel_grace=1.5)
    else:
        attempt.script(SAVES, grace=1.5, cancel_grace=1.5)
    attempt.launch()
    wait_for(lambda: "so far" in attempt.text() or "so far" in str(attempt.events("job.log")))
    began = time.monotonic()
    softly(attempt)
    result = attempt.finish()
    assert (result["reason"], result["message"]) == ("cancelled", "Cancelled")
    assert (attempt.own / "work" / "saved").read_text() == "all"
    assert not (attempt.own / "work" / "next").exists()  # the stop is not only for that cell
    assert time.monotonic() - began < 9


def test_code_that_does_not_care_is_ended(attempt: Attempt) -> None:
    attempt.shell("trap '' INT; echo $$ > mine; while :; do sleep 0.1; done", cancel_grace=30)
    attempt.launch()
    pid = attempt.number("mine")
    softly(attempt, 1)
    result = attempt.finish(20)
    assert result["reason"] == "cancelled"
    assert result["message"] == "Cancelled; it did not stop within 1 s and was killed"
    assert not alive(pid)
