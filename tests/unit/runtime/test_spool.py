"""The spool and its reader."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dlsys.contract.spool import tail
from jupyter_dlsys.runtime.events import BATCH_BYTES, OUTPUT_CAP, STREAM_CAP, Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def everything(path: Path, limit: int = 1_000_000) -> list[dict]:
    found: list[dict] = []
    offset = 0
    while True:
        events, now = tail(path, offset, limit)
        assert now - offset <= limit or not events
        if now == offset:
            return found
        offset = now
        found += events


@pytest.fixture
def as_the_platform() -> Iterator[None]:
    """With the mask that the platform sets, and what it starts inherits."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("as_the_platform")
def test_reading_in_small_steps_gives_the_same(path: Path) -> None:
    spool = Spool(path)
    for i in range(50):
        spool.progress(i, 50)
    spool.close()
    whole = everything(path)
    assert [e["payload"]["done"] for e in whole] == list(range(50))
    assert everything(path, limit=200) == whole
    assert path.stat().st_mode & 0o077 == 0


def test_no_file_and_half_lines(path: Path) -> None:
    assert tail(path, 0) == ([], 0)
    line = json.dumps({"seq": 1, "t": 1.0, "topic": "x", "payload": {}}) + "\n"
    path.write_text(line + line[:10])
    events, offset = tail(path, 0)
    assert (len(events), offset) == (1, len(line))
    assert tail(path, offset) == ([], offset)
    path.write_text(line + line)
    assert len(tail(path, offset)[0]) == 1


def test_rubbish_and_endless_lines_are_skipped(path: Path) -> None:
    good = json.dumps({"seq": 1, "t": 1.0, "topic": "x", "payload": {}})
    rubbish = [
        "not json",
        "[1]",
        '{"seq": "1"}',
        '{"seq":2,"t":1,"topic":"x","payload":[]}',
        "\xff",
    ]
    path.write_text("\n".join([*rubbish, "z" * 5000, good]) + "\n")
    assert [e["seq"] for e in everything(path, limit=1000)] == [1]


def test_text_is_batched_by_size_and_time(path: Path) -> None:
    spool = Spool(path)
    for _ in range(100):
        spool.stream(0, "stdout", "ab\r")
    assert tail(path, 0)[0] == []
    time.sleep(0.12)
    spool.stream(0, "stdout", "c")
    (event,) = everything(path)
    assert event["payload"]["output"]["text"] == "ab\r" * 100 + "c"
    spool.stream(0, "stdout", "x" * 20_000)
    sizes = [len(e["payload"]["output"]["text"]) for e in everything(path)[1:]]
    assert sizes == [BATCH_BYTES, BATCH_BYTES, 20_000 - 2 * BATCH_BYTES]
    spool.close()


def test_order_of_streams_and_outputs_is_kept(path: Path) -> None:
    spool = Spool(path)
    spool.stream(0, "stdout", "1")
    spool.stream(0, "stderr", "2")
    spool.output(0, {"output_type": "display_data", "data": {"text/plain": "3"}, "metadata": {}})
    spool.stream(0, "stdout", "4")
    spool.close()
    outputs = [e["payload"]["output"] for e in everything(path)]
    assert [o.get("text") or o["data"]["text/plain"] for o in outputs] == ["1", "2", "3", "4"]


def test_caps_are_for_each_cell(path: Path) -> None:
    spool = Spool(path)
    for cell in (0, 1):
        spool.cell_start(cell, "")
        for _ in range(8):
            spool.stream(cell, "stdout", "é" * 1_000_000)
        figure = {
            "output_type": "display_data",
            "data": {"text/html": "x" * 60_000},
            "metadata": {},
        }
        for _ in range(500):
            spool.output(cell, figure)
        spool.cell_end(cell, True, 1)
    spool.close()
    assert path.stat().st_size < 2 * (STREAM_CAP + OUTPUT_CAP) * 1.1
    events = everything(path)
    notices = [e for e in events if "not kept" in str(e["payload"])]
    hidden = [e for e in events if "not shown live" in str(e["payload"])]
    assert (len(notices), len(hidden)) == (2, 2)


def test_lone_surrogates_do_not_break_the_spool(path: Path) -> None:
    spool = Spool(path)
    spool.stream(0, "stdout", "a\ud800b")
    spool.error(0, "E", "\udfff", ["\ud800"])
    spool.close()
    path.read_bytes().decode("utf-8")
    assert [e["topic"] for e in everything(path)] == ["job.output", "job.error"]


def test_a_long_traceback_keeps_its_end(path: Path) -> None:
    spool = Spool(path)
    spool.error(0, "RecursionError", "deep", [f"{i} " + "x" * 1000 for i in range(500)])
    spool.close()
    traceback = everything(path)[0]["payload"]["traceback"]
    assert traceback[-1].startswith("499 ")
    assert sum(map(len, traceback)) < 70_000


@pytest.mark.parametrize("chunk", [100, 1_000_000, 999_999])
def test_what_is_cut_says_so_wherever_the_limit_falls(path: Path, chunk: int) -> None:
    spool = Spool(path)
    kept = "".join(spool.log("stdout", "y" * chunk) for _ in range(6_000_000 // chunk))
    spool.close()
    assert kept.count("the rest is not kept") == 1
    assert kept.endswith("the rest is not kept\n")
    assert kept.count("y") == STREAM_CAP


def test_text_that_just_fits_is_not_called_cut(path: Path) -> None:
    spool = Spool(path)
    assert spool.log("stdout", "y" * STREAM_CAP) == "y" * STREAM_CAP
    assert spool.log("stderr", "") == ""
    spool.close()
    assert "not kept" not in str(everything(path)[-1])
