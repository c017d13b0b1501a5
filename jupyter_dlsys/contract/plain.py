"""Texts and numbers that every part can keep: Unicode without zero bytes, and finite."""

from __future__ import annotations

import math
from typing import Any


def check_plain(value: Any) -> Any:
    """The value as it is, a JSON value of any depth.

    Raises:
        ValueError: a text in it is half a Unicode pair or has a zero byte, or a number is not
            finite.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise ValueError(f"{item} is not a number that JSON has")
        elif isinstance(item, dict):
            pending += [*item, *item.values()]
        elif isinstance(item, (list, tuple)):
            pending += item
    return value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text has a zero byte")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text is not Unicode: it has half of a pair") from None
