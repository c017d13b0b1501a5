"""How options are read, how quickly the command starts."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

from jupyter_dlsys.cli import main as command_line
from jupyter_dlsys.cli.options import columns_of, pairs, reference, split_of, value_of
from jupyter_dlsys.cli.watching import sparkline
from jupyter_dlsys.client.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.1", 0.1), ("1e-3", 0.001), ("true", True), ("None", None), ("[1, 2]", [1, 2]),
     ('{"a": 1}', {"a": 1}), ('"7"', "7"), ("adam", "adam"), ("", ""), ("0", 0), ("null", None)],
)  # fmt: skip
def test_parameters_have_the_type_that_they_look_like(text: str, value: Any) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_splits() -> None:
    assert split_of("0.8,0.2") == {"train": 0.8, "test": 0.2}
    assert split_of("0.8,0.1,0.1") == {"train": 0.8, "val": 0.1, "test": 0.1}
    assert split_of("a=0.5, b=0.5") == {"a": 0.5, "b": 0.5}
    assert split_of(None) is None
    for wrong in ("0.1,0.2,0.3,0.4", "a=x", "much"):
        with pytest.raises(UsageError):
            split_of(wrong)


def test_pairs_references_columns() -> None:
    assert pairs(["a=1", "b=x=y"], "-p") == {"a": "1", "b": "x=y"}
    with pytest.raises(UsageError, match="this is not NAME=VALUE"):
        pairs(["a"], "-p")
    assert reference("tweets@v3") == ("tweets", "v3")
    assert reference("tweets") == ("tweets", "")
    assert columns_of("a, b,") == ["a", "b"]


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3]) == "▁▃▅█"
    assert sparkline([2, 2]) == "▁▁"
    assert len(sparkline([float(x) for x in range(1000)])) <= 40


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nonsense"], "nonsense"), (["datasets", "show"], "NAME"), (["submit"], "NOTEBOOK"),
     (["jobs", "list", "--limit", "x"], "limit"), (["predict", "m", "{"], "not JSON")],
)  # fmt: skip
def test_wrong_usage_is_status_2_and_says_how(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.guarded(arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Hint:" in said
    assert "Traceback" not in said


def test_help_comes_quickly_and_loads_nothing_heavy() -> None:
    heavy = ("httpx", "pydantic", "pyarrow", "tornado", "numpy", "IPython")
    code = (
        "import sys; from jupyter_dlsys.cli.main import guarded; guarded(['--help']);"
        f"print('LOADED', [m for m in {heavy!r} if m in sys.modules])"
    )
    best = 9.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, spent)
        assert done.returncode == 0, done.stderr
        assert "LOADED []" in done.stdout
        for verb in ("submit", "datasets", "deploy", "lineage"):
            assert verb in done.stdout
    # The goal is 0.4 s on a quiet machine; a busy one takes longer, a heavy import far longer.
    assert best < 1.0
