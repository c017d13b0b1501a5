"""How text becomes numbers: one function, used by the training notebook and by the serving worker.

The same bytes must reach the graph in both places, so nothing here can be configured beyond the
length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PADDING = 0
VOCABULARY = 257
"""Number of distinct values: 256 byte values shifted by one, and 0 for padding."""


def encode_utf8(texts: Sequence[str], length: int) -> NDArray[np.int64]:
    """Encode each text as its first `length` UTF-8 bytes plus one, padded with 0.

    Args:
        texts: n strings; any Unicode text (a lone surrogate becomes "?").
        length: bytes kept of each text, at least 1. A text is cut at the byte, which may be in the
            middle of a character: the model sees bytes, not characters.

    Returns:
        int64 array [n, length] with values 0 (padding) to 256 (byte 255), made for
        `nn.Embedding(257, …)`.

    Raises:
        TypeError: `texts` is one string, or holds something that is no string.
        ValueError: `length` is less than 1.
    """
    import numpy as np

    if isinstance(texts, (str, bytes)):
        raise TypeError("texts must be a sequence of strings, not one string: write [text]")
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    rows = [_clip(text, length) for text in texts]
    sizes = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    encoded = np.zeros((len(rows), length), dtype=np.int64)
    filled = np.arange(length) < sizes[:, None]
    encoded[filled] = np.frombuffer(b"".join(rows), dtype=np.uint8).astype(np.int64) + 1
    return encoded


def _clip(text: str, length: int) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"every text must be a string, not {type(text).__name__}: {text!r:.80}")
    # A character takes at least one byte, so the rest of a long text need not be encoded.
    return text[:length].encode("utf-8", errors="replace")[:length]
