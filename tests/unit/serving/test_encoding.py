"""Text to numbers: the contract between notebook and worker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dlsys.contract.encoding import PADDING, VOCABULARY, encode_utf8


def test_bytes_plus_one_padded_and_cut() -> None:
    encoded = encode_utf8(["ab", "é€", ""], 4)
    assert encoded.dtype == np.int64
    assert encoded.tolist() == [[98, 99, 0, 0], [0xC3 + 1, 0xA9 + 1, 0xE2 + 1, 0x82 + 1], [0] * 4]


@given(st.lists(st.text()), st.integers(1, 40))
def test_same_as_one_by_one(texts: list[str], length: int) -> None:
    encoded = encode_utf8(texts, length)
    assert encoded.shape == (len(texts), length)
    for text, row in zip(texts, encoded, strict=True):
        kept = text.encode("utf-8", "replace")[:length]
        assert row.tolist() == [b + 1 for b in kept] + [PADDING] * (length - len(kept))
    assert encoded.max(initial=0) < VOCABULARY


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(TypeError, match="not one string"):
        encode_utf8("abc", 4)
    with pytest.raises(TypeError, match="int"):
        encode_utf8(["a", 5], 4)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="at least 1"):
        encode_utf8(["a"], 0)
