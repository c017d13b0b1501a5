"""What travels with a job: the source's local modules, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.modules import local_modules, read_source


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def paths(source: Path) -> list[str]:
    return [m.path for m in local_modules(source)]


def test_modules_are_found_through_each_other(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os, helper\nimport torch\n")
    (tmp_path / "helper.py").write_text("from deeper import x\nimport train\n")
    (tmp_path / "deeper.py").write_text("import helper\nx = 1\n")
    (tmp_path / "unused.py").write_text("")
    assert paths(tmp_path / "train.py") == ["deeper.py", "helper.py"]


def test_a_package_comes_whole(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def f():\n    from net.layers import conv\n")
    for name in ("net/__init__.py", "net/layers/__init__.py", "net/layers/conv.py", "net/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("import common\n" if name == "net/x.py" else "")
    (tmp_path / "common.py").write_text("")
    (tmp_path / "net" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "net" / ".ipynb_checkpoints" / "x.py").write_text("")
    assert paths(tmp_path / "train.py") == [
        "common.py", "net/__init__.py", "net/layers/__init__.py", "net/layers/conv.py", "net/x.py",
    ]  # fmt: skip


def test_a_notebook_with_magics_and_broken_cells_is_read(tmp_path: Path) -> None:
    cells = [
        "%matplotlib inline\nimport helper",
        "!pip list\nobject?",
        "%%bash\nimport nothing",
        "%%time\nimport timed",
        "this is no python",
        ["import split", "ted\n", "x = 1"],
    ]
    notebook = {"cells": [{"cell_type": "code", "source": c} for c in cells]}
    (tmp_path / "n.ipynb").write_text(json.dumps(notebook))
    for name in ("helper", "nothing", "timed", "splitted"):
        (tmp_path / f"{name}.py").write_text("")
    assert paths(tmp_path / "n.ipynb") == ["helper.py", "splitted.py", "timed.py"]


@pytest.mark.parametrize(
    ("name", "words"), [("x.txt", "neither a notebook"), ("gone.py", "There is no file")]
)
def test_what_cannot_be_a_job_is_said(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_source(tmp_path / name)


def test_data_hidden_in_a_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import big")
    (tmp_path / "big.py").write_text("x = '" + "a" * 11_000_000 + "'")
    with pytest.raises(UsageError, match=r"11 MB.*big.py"):
        local_modules(tmp_path / "train.py")
