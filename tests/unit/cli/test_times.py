"""Friendly words for when, and the expression they come to."""

from __future__ import annotations

import pytest

from dlsys_server.workflows.expressions import parse
from jupyter_dlsys.cli.times import cron_of
from jupyter_dlsys.client.errors import UsageError


@pytest.mark.parametrize(
    ("every", "at", "words"),
    [
        ("weekday", "7", "At 07:00 on every weekday"),
        ("day", "07:30", "At 07:30 every day"),
        ("day", None, "At 00:00 every day"),
        ("Monday", "9", "At 09:00 on Monday"),
        ("sunday", "9", "At 09:00 on Sunday"),
        ("weekend", "23:59", "At 23:59 on Saturday and Sunday"),
        ("month", "6", "At 06:00 on the first day of every month"),
        ("hour", None, "At the start of every hour"),
        ("15min", None, "Every 15th minute of every hour"),
        ("60 min", None, "At the start of every hour"),
        ("6h", None, "At minute 0 past every sixth hour"),
    ],
)
def test_words_become_the_expression_they_say(every: str, at: str | None, words: str) -> None:
    assert parse(cron_of(None, every, at), "UTC").words == f"{words}, UTC"


@pytest.mark.parametrize(
    ("cron", "every", "at", "said"),
    [
        (None, None, None, "When should it run"),
        ("@daily", "day", None, "When should it run"),
        ("@daily", None, "7", "When should it run"),
        (None, "fortnight", None, "fortnight"),
        (None, "hour", "7", "has no --at"),
        (None, "day", "25", "no time of day"),
        (None, "day", "7am", "no time of day"),
        (None, "7min", None, "cannot be divided"),
        (None, "0min", None, "cannot be divided"),
    ],
)
def test_what_means_nothing_is_said(cron, every, at, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        cron_of(cron, every, at)
    assert caught.value.hint
