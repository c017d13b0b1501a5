"""Messages between gateway and worker: a JSON header and raw bytes (tensors, ready-made JSON).

A frame is `<header length: u32 LE><blob length: u32 LE><header: JSON object><blob>`.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import orjson

Header = dict[str, Any]
PREFIX = struct.Struct("<II")
MAX_BYTES = 1 << 30


class BadFrame(Exception):
    """The other side sent something that is no frame."""


def pack(header: Header, blob: bytes = b"") -> bytes:
    """One frame as bytes."""
    head = orjson.dumps(header)
    return PREFIX.pack(len(head), len(blob)) + head + blob


def lengths(prefix: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Lengths of header and blob; BadFrame when they cannot be right."""
    head, blob = PREFIX.unpack(prefix)
    if head + blob > MAX_BYTES:
        raise BadFrame(f"a frame of {head + blob} bytes is too large")
    return head, blob


def receive(channel: socket.socket) -> tuple[Header, bytearray] | None:
    """Wait for the next frame of a blocking socket; None at end of file."""
    prefix = _receive_exactly(channel, PREFIX.size)
    if prefix is None:
        return None
    head_size, blob_size = lengths(prefix)
    head = _receive_exactly(channel, head_size)
    blob = _receive_exactly(channel, blob_size)
    if head is None or blob is None:
        return None
    return orjson.loads(head), blob


def _receive_exactly(channel: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        count = channel.recv_into(view[done:])
        if count == 0:
            return None
        done += count
    return data


class FrameReader:
    """Cuts a stream of chunks into frames, for an event loop."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, chunk: bytes) -> list[tuple[Header, bytes]]:
        """Add a chunk; the frames that are now complete. Raises BadFrame."""
        self._data += chunk
        frames: list[tuple[Header, bytes]] = []
        while len(self._data) >= PREFIX.size:
            head_size, blob_size = lengths(memoryview(self._data)[: PREFIX.size])
            end = PREFIX.size + head_size + blob_size
            if len(self._data) < end:
                break
            split = PREFIX.size + head_size
            try:
                header = orjson.loads(bytes(self._data[PREFIX.size : split]))
            except orjson.JSONDecodeError as error:
                raise BadFrame(str(error)) from error
            if not isinstance(header, dict):
                raise BadFrame("a header must be an object")
            frames.append((header, bytes(self._data[split:end])))
            del self._data[:end]
        return frames
