"""Windows into a log: no character is cut in two, none is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.training.reading import _whole_characters


@given(text=st.text(min_size=1), size=st.integers(4, 9))
def test_a_log_read_window_by_window_is_the_whole_text(text: str, size: int) -> None:
    data, offset, read = text.encode(), 0, ""
    while offset < len(data):
        window = _whole_characters(data[offset : offset + size])
        assert window, "a reader would not get on"
        read += window.decode()
        offset += len(window)
    assert read == text


def test_what_is_no_text_is_passed_on_but_for_a_beginning_at_the_end() -> None:
    assert _whole_characters(b"") == b""
    assert _whole_characters(b"ab\x80\x80\x80\x80") == b"ab\x80\x80\x80\x80"
    assert _whole_characters("aé".encode()[:-1]) == b"a"
