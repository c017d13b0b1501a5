"""What is read from a notebook without running it, and its canonical hash."""

from __future__ import annotations

import json

import pytest

from dlsys_server.core.errors import InvalidInput
from dlsys_server.training.sources import canonical_hash, check_files, inspect
from jupyter_dlsys.contract.jobs import SourceFile
from tests.support.platform import notebook


def cells(*given: object) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": given})


def source(cells: dict, path: str = "n.ipynb") -> SourceFile:
    return SourceFile(path=path, content=json.dumps(cells))


def test_parameters_have_types_defaults_and_comments():
    info = inspect(
        source(
            notebook(
                "import torch, numpy as np\nfrom helper.deep import x",
                "data = dlsys.input('tweets')",
                "%matplotlib inline\n!ls\nimport os",
                parameters="lr = 0.1  # learning rate\nname: str = 'a'\nlayers = [1, 2]\nx = f()",
            )
        )
    )
    assert [(p.name, p.type, p.default, p.comment) for p in info.parameters] == [
        ("lr", "float", 0.1, "learning rate"),
        ("name", "str", "a", ""),
        ("layers", "list", [1, 2], ""),
        ("x", "str", "f()", ""),
    ]
    assert info.imports == ["helper", "numpy", "os", "torch"]
    assert info.inputs == ["tweets"]
    assert info.kernel == "python3"
    assert info.code_cells == 4


def test_the_hash_sees_code_not_outputs_or_ids():
    plain = notebook("print(1)", "x = 2")
    executed = json.loads(json.dumps(plain))
    executed["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    executed["cells"][0]["execution_count"] = 7
    executed["cells"][1]["id"] = "other"
    executed["cells"][1]["source"] = ["x = 2", "\n"]
    changed = notebook("print(1)", "x = 3")
    module = SourceFile(path="m.py", content="a = 1")
    assert canonical_hash(source(plain), []) == canonical_hash(source(executed), [])
    assert canonical_hash(source(plain), []) != canonical_hash(source(changed), [])
    assert canonical_hash(source(plain), []) != canonical_hash(source(plain), [module])


@pytest.mark.parametrize("path", ["/etc/x.py", "../x.py", "a/../../x.py", "a\\b.py"])
def test_paths_stay_in_the_folder(path):
    with pytest.raises(InvalidInput, match="leaves the job's folder"):
        check_files(SourceFile(path="a.ipynb", content=""), [SourceFile(path=path, content="")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "has no cells"),
        ('{"cells": []}', "format None"),
        ('{"nbformat": 3, "worksheets": []}', "format 3"),
        ('{"nbformat": 4, "cells": {}}', "has no cells"),
        ("{", "is not a notebook"),
        ("[" * 100_000, "nested too deeply"),
        ('{"nbformat": 4, "cells": [], "x": NaN}', "NaN is not JSON"),
        (cells(3), "cell 1 is no object"),
        (cells({"cell_type": "heading", "source": "", "metadata": {}}), "'heading', not code"),
        (cells({"cell_type": "code", "source": 3, "metadata": {}}), "cell 1 has a source that"),
        (cells({"cell_type": "code", "source": [3], "metadata": {}}), "cell 1 has a source that"),
        (cells({"cell_type": "code", "source": "\ud800", "metadata": {}}), "not Unicode"),
        (cells({"cell_type": "code", "source": "1"}), "cell 1 has no metadata"),
        (cells({"cell_type": "code", "source": "1", "metadata": {"tags": "a"}}), "tags"),
        (cells({"cell_type": "code", "source": "1", "metadata": {}, "outputs": [1]}), "outputs"),
        ('{"nbformat": 4, "cells": [], "metadata": []}', "its metadata is no object"),
        ('{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"name": 3}}}', "the name in"),
    ],
)
def test_broken_notebooks_are_named(content, words):
    with pytest.raises(InvalidInput, match=words):
        inspect(SourceFile(path="n.ipynb", content=content))
