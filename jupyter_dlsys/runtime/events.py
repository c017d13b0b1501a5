"""The spool `events.jsonl`: what happens in a job, while it happens.

Append-only JSON lines {"seq", "t", "topic", "payload"}.  The reader is
`jupyter_dlsys.contract.spool.tail`.  Not safe for several threads.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

STREAM_CAP = 5_000_000  # bytes of text a cell
OUTPUT_CAP = 20_000_000  # bytes of other outputs a cell
BUNDLE_CAP = 64 * 1024  # bytes of one mime bundle
BATCH_BYTES = 8 * 1024
BATCH_SECONDS = 0.1
TRACEBACK_CAP = 64 * 1024
SOURCE_CAP = 20_000  # characters of a cell's source


class Spool:
    """Writer.  `cell` methods belong to the cell of the last `cell_start`."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o660)
        self._file = os.fdopen(fd, "ab", buffering=0)
        self._seq = 0
        self._batch: list[str] = []
        self._batch_key: tuple[str, int | None, str] | None = None
        self._batch_bytes = 0
        self._batch_since = 0.0
        self._stream_bytes = 0
        self._output_bytes = 0
        self._output_notice = False

    def close(self) -> None:
        self.flush()
        self._file.close()

    # ---- plain events -----------------------------------------------------------------------
    def _write(self, topic: str, payload: dict[str, Any]) -> int:
        self._seq += 1
        event = {"seq": self._seq, "t": time.time(), "topic": topic, "payload": payload}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)
        data = line.encode("utf-8", "replace") + b"\n"  # lone surrogates are no UTF-8
        return self._file.write(data) or 0

    def emit(self, topic: str, **payload: Any) -> None:
        self.flush()
        self._write(topic, payload)

    def phase(self, phase: str) -> None:
        self.emit("job.phase", phase=phase)

    def started(self, mode: str, reason: str) -> None:
        """Which way the job was started, and why."""
        self.emit("job.start", mode=mode, reason=reason)

    def progress(self, done: int, total: int) -> None:
        self.emit("job.progress", done=done, total=total)

    def error(self, cell: int | None, ename: str, evalue: str, traceback: list[str]) -> None:
        kept: list[str] = []
        room = TRACEBACK_CAP
        for line in reversed(traceback):  # the end tells the most
            if len(line) > room:
                kept.append("… (shortened)")
                break
            room -= len(line)
            kept.append(line)
        self.emit("job.error", cell=cell, ename=ename, evalue=evalue[:8192], traceback=kept[::-1])

    # ---- cells ------------------------------------------------------------------------------
    def cell_start(self, index: int, source: str) -> None:
        self._stream_bytes = self._output_bytes = 0
        self._output_notice = False
        kept = source[:SOURCE_CAP]
        self.emit("job.cell", index=index, phase="start", ok=None, seconds=None, source=kept)
        os.fdatasync(self._file.fileno())

    def cell_end(self, index: int, ok: bool, seconds: float) -> None:
        self.emit("job.cell", index=index, phase="end", ok=ok, seconds=round(seconds, 6))
        os.fdatasync(self._file.fileno())

    def output(self, cell: int, output: dict[str, Any], **more: Any) -> None:
        """A display, result or tolerated error; `more`: update_display_id, display_id."""
        self.flush()
        if self._room():
            self._output_bytes += self._write(
                "job.output", {"cell": cell, "output": shortened(output), **more}
            )

    def widgets(self, cell: int, states: dict[str, Any]) -> None:
        """Changed state of widgets by model id; None for one that was closed."""
        self.flush()
        if self._room():
            self._output_bytes += self._write("job.widgets", {"cell": cell, "states": states})

    def clear(self, cell: int, wait: bool) -> None:
        self.flush()
        if self._room():
            self._output_bytes += self._write(
                "job.output", {"cell": cell, "clear": True, "wait": wait}
            )

    def _room(self) -> bool:
        if self._output_bytes < OUTPUT_CAP:
            return True
        if not self._output_notice:
            self._output_notice = True
            text = f"… more than {size(OUTPUT_CAP)} of outputs in this cell: not shown live"
            self._write("job.log", {"stream": "system", "text": text + "\n"})
        return False

    # ---- text -------------------------------------------------------------------------------
    def stream(self, cell: int, name: str, text: str) -> str:
        """Text that a cell printed.  Returns what is kept of it (all, a part with a notice, or
        nothing), so that the notebook can keep the same."""
        kept = self._capped(text)
        self._add(("job.output", cell, name), kept)
        return kept

    def log(self, name: str, text: str) -> str:
        """Text of a script, or of ours (`system`); capped as `stream` is."""
        kept = text if name == "system" else self._capped(text)
        self._add(("job.log", None, name), kept)
        return kept

    def _capped(self, text: str) -> str:
        room = STREAM_CAP - self._stream_bytes
        if room < 0 or not text:
            return ""
        data = text.encode("utf-8", "replace")
        self._stream_bytes += len(data)
        if len(data) <= room:
            return text
        notice = f"\n… more than {size(STREAM_CAP)} of text in this cell: the rest is not kept\n"
        return data[:room].decode("utf-8", "ignore") + notice

    def _add(self, key: tuple[str, int | None, str], text: str) -> None:
        if not text:
            return
        if key != self._batch_key:
            self.flush()
        if not self._batch:
            self._batch_since = time.monotonic()
        self._batch_key = key
        self._batch.append(text)
        self._batch_bytes += len(text)
        if self._batch_bytes >= BATCH_BYTES or self.overdue() <= 0:
            self.flush()

    def overdue(self) -> float:
        """Seconds until the waiting text must be flushed; negative when late."""
        return self._batch_since + BATCH_SECONDS - time.monotonic()

    @property
    def waiting(self) -> bool:
        return bool(self._batch)

    def flush(self) -> None:
        if not self._batch or self._batch_key is None:
            return
        topic, cell, name = self._batch_key
        text = "".join(self._batch)
        self._batch = []
        self._batch_bytes = 0
        for at in range(0, len(text), BATCH_BYTES):
            part = text[at : at + BATCH_BYTES]
            if topic == "job.log":
                self._write(topic, {"stream": name, "text": part})
            else:
                output = {"output_type": "stream", "name": name, "text": part}
                self._write(topic, {"cell": cell, "output": output})


def size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def shortened(output: dict[str, Any]) -> dict[str, Any]:
    """The output, its mime bundle replaced by words when it is large."""
    data = output.get("data")
    if not isinstance(data, dict):
        if output.get("output_type") == "error":
            return {**output, "traceback": ["\n".join(output["traceback"])[-TRACEBACK_CAP:]]}
        return dict(output)
    sizes = {mime: len(x) if isinstance(x, str) else len(json.dumps(x)) for mime, x in data.items()}
    if sum(sizes.values()) <= BUNDLE_CAP:
        return dict(output)
    largest = max(sizes, key=lambda mime: sizes[mime])
    plain = data.get("text/plain")
    words = plain[:500] + " " if isinstance(plain, str) else ""
    text = f"{words}… ({size(sizes[largest])} {largest} kept in the notebook)"
    return {**output, "data": {"text/plain": text}, "metadata": {"dlsys": {"kept": sizes}}}
