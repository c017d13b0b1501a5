"""Errors, amounts, words, views, cheap imports."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone

import pytest

import jupyter_dlsys
from jupyter_dlsys.client import errors
from jupyter_dlsys.client.inputs import variable
from jupyter_dlsys.client.resource import checked
from jupyter_dlsys.client.results import Dataset, Rows
from jupyter_dlsys.client.submissions import memory_bytes
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.client.words import number, seconds, size
from jupyter_dlsys.contract.datasets import CreateDataset
from jupyter_dlsys.contract.environment import environment_lock

HEAVY = ("httpx", "pydantic", "pyarrow", "tornado", "numpy", "rich", "typer", "IPython")


def test_the_package_costs_nothing_to_import() -> None:
    code = f"import jupyter_dlsys, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in jupyter_dlsys.__all__:
        assert getattr(jupyter_dlsys, name) is not None
    with pytest.raises(AttributeError):
        jupyter_dlsys.nothing  # noqa: B018


def test_a_problem_becomes_an_error_that_says_where_and_what_next() -> None:
    body = {
        "title": "Refused", "status": 422, "code": "bad-rows", "detail": "2 rows do not fit.",
        "hint": "Correct the file.", "request_id": "R1",
        "errors": [{"message": "no label", "row": 3, "column": "label", "expected": "text"}] * 7,
    }  # fmt: skip
    error = errors.from_answer(422, body)
    assert isinstance(error, errors.Refused)
    assert error.exit_code == 4
    lines = str(error).splitlines()
    assert lines[0] == "2 rows do not fit."
    assert lines[1] == "  row 3, column 'label': no label (expected text)"
    assert lines[-2:] == ["  … and 2 more", "Hint: Correct the file."]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(400, "InvalidInput", 2), (404, "NotFound", 3), (403, "Forbidden", 4), (409, "Conflict", 4),
     (503, "Unavailable", 1), (502, "PlatformFault", 1), (418, "InvalidInput", 2)],
)  # fmt: skip
def test_each_status_has_its_exception_and_exit_code(status: int, kind: str, code: int) -> None:
    error = errors.from_answer(status, "<html>")
    assert type(error).__name__ == kind
    assert error.exit_code == code
    assert error.status == status


def test_rows_that_do_not_fit_are_no_wrong_usage() -> None:
    body = {"detail": "x", "errors": [{"message": "m", "row": 1}]}
    assert errors.from_answer(400, body).exit_code == 4


def test_a_wrong_field_is_named_before_anything_is_sent() -> None:
    with pytest.raises(errors.UsageError, match=r"name: .*\n.*Hint: Lower-case letters"):
        checked(CreateDataset, name="Bad Name")


@pytest.mark.parametrize(
    ("text", "count"), [("512M", 2**29), ("4G", 2**32), ("1.5 GiB", 1.5 * 2**30), (7, 7), ("9", 9)]
)
def test_amounts_of_memory(text: str | int, count: float) -> None:
    assert memory_bytes(text) == count


def test_no_amount_of_memory() -> None:
    with pytest.raises(errors.UsageError, match="512M or 4G"):
        memory_bytes("lots")


def test_words_have_units() -> None:
    assert [size(x) for x in (0, 999, 1500, 2.5e9)] == ["0 B", "999 B", "1.5 kB", "2.5 GB"]
    assert [seconds(x) for x in (3.21, 59.6, 250, 7500)] == [
        "3.2 s",
        "1 min",
        "4 min 10 s",
        "2 h 5 min",
    ]
    assert [number(x) for x in (None, 3.0, 1234567, 0.123456)] == ["–", "3", "1,234,567", "0.1235"]


def test_the_variable_of_an_input() -> None:
    assert variable("my-data.2") == "DLSYS_INPUT_MY_DATA_2"


def test_the_lock_tells_versions_in_a_fixed_order() -> None:
    lock = environment_lock()
    assert lock == environment_lock()
    assert lock["packages"] == sorted(lock["packages"])
    assert any(p.startswith("jupyter-dlsys==") for p in lock["packages"])
    assert lock["python"] == sys.version.split()[0]


def test_views_escape_what_users_wrote() -> None:
    now = datetime.now(timezone.utc)
    dataset = Dataset(
        name="t", kind="generic", owner="<b>", project="p", created_at=now, updated_at=now,
        version=1, labels=["<script>"],
    )  # fmt: skip
    assert "<script>" not in dataset._repr_html_()
    assert "&lt;script&gt;" in Listing([dataset])._repr_html_()
    column = {"name": "<i>", "type": "string"}
    rows = Rows(columns=[column], offset=0, total=1, rows=[{"<i>": "<img src=x onerror=y>"}])
    assert "<img" not in rows._repr_html_()
    assert "<i>" not in rows._repr_html_()
