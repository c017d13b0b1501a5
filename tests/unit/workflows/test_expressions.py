"""What people write for a schedule, and what they are told."""

from __future__ import annotations

import pytest

from dlsys_server.core.errors import InvalidInput
from dlsys_server.workflows.expressions import parse


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 7 * * 1-5", "At 07:00 on every weekday, Europe/Berlin"),
        ("0 7 * * mon-fri", "At 07:00 on every weekday, Europe/Berlin"),
        ("@daily", "At 00:00 every day, Europe/Berlin"),
        ("*/15 * * * *", "Every 15th minute of every hour, Europe/Berlin"),
        ("0 9 1 * *", "At 09:00 on the first day of every month, Europe/Berlin"),
        ("0 9 31 * *", "At 09:00 on the 31st day of every month, Europe/Berlin"),
        ("0 9 13 * *", "At 09:00 on the 13th day of every month, Europe/Berlin"),
    ],
)
def test_words(expression: str, words: str) -> None:
    assert parse(expression, "Europe/Berlin").words == words


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        ("0 25 * * *", "Hour '25'", "minute, hour"),
        ("61 * * * *", "Minute '61'", "weekday"),
        ("0 7 * * 1-8", "Day of the week '1-8'", "weekday"),
        ("0 0 7 * * 1-5", "six fields", "Without the first: '0 7 * * 1-5'"),
        ("7", "1 field;", "weekday"),
        ("0 7 ? * *", "Day of the month '?'", "'0 7 * * *'"),
        ("@dayly", "'@dayly' is not known", "@daily"),
        ("0 0 30 2 *", "never comes", "weekday"),
        ("* * * * ²", "Day of the week", "weekday"),
    ],
)
def test_a_bad_expression_is_told_by_field(expression: str, said: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(expression, "UTC")
    error = caught.value
    assert (error.status, error.code) == (400, "bad-cron")
    assert said in error.detail and hint in error.hint
    assert error.errors[0].field == "cron"


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("../../etc/passwd", "Write it like"),
        ("Europe", "Write it like"),
        ("", "Write it like"),
        ("\0", "Write it like"),
    ],
)
def test_a_bad_zone_is_told_with_the_near_one(zone: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse("0 7 * * *", zone)
    assert caught.value.code == "bad-timezone"
    assert meant in caught.value.hint
    assert caught.value.errors[0].field == "timezone"
