"""Every other look: what it finds, what it offers, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import notebook
from tests.unit.preflight.conftest import Look, only

AWS = "AKIA" + "IOSFODNN7EXAMPLQ"
SECRETS = {
    "aws": f"key = '{AWS}'",
    "github": "t = 'ghp_" + "a1B2c3D4" * 5 + "'",
    "hugging face": "login('hf_" + "AbCdEfGhIj" * 4 + "')",
    "openai": "client = OpenAI(api_key='sk-proj-" + "x9Y8z7W6" * 4 + "')",
    "slack": "s = 'xoxb-" + "123456789012-abcdef'",
    "private key": "k = '''-----BEGIN " + "RSA PRIVATE KEY-----\n'''",
    "password": "db_password = 'c0rrecT-h0rse-7b'",
    "in a dict": "{'api_key': 'q8Zk2LmN0pRs'}",
    "address": "'postgresql://ann:s3cr3t-Zq9@db/x'",
}


def codes(report: Any) -> set[str]:
    return {f.code for f in report.findings}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS)
def test_secrets_are_found_and_never_repeated(look: Look, line: str) -> None:
    report = look(["x = 1\n" + line])
    found = only(report, "likely-secret")
    assert found.severity == "warning" and found.place and found.place.line == 1
    told = report.model_dump_json()
    secret = max((part for part in line.replace("@", "'").split("'")), key=len)
    assert not any(secret[i : i + 5] in told for i in range(len(secret) - 4)), told


@pytest.mark.parametrize(
    "line",
    [
        "password = 'your-password-here'",
        "password = os.environ['DB_PASSWORD']",
        "token = '<your token>'",
        "secret = 'aaaaaaaaaaaa'",
        "tokenizer = 'bert-base-uncased'",
        "url = 'https://example.com:8080/a@b'",
        "sha = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'",
    ],
)
def test_what_only_looks_like_a_secret(look: Look, line: str) -> None:
    assert "likely-secret" not in codes(look(["import os\n" + line]))


def test_secrets_in_text_cells_too(look: Look) -> None:
    made = notebook("1")
    made["cells"].append({"cell_type": "markdown", "metadata": {}, "source": [f"use {AWS}"]})
    found = only(look(made), "likely-secret")
    assert found.place and found.place.cell == 1


def test_missing_packages_name_their_distribution(look: Look) -> None:
    found = only(look(["import os, json\nimport cv2"]), "missing-package")
    assert found.severity == "error" and found.place and found.place.line == 1
    assert found.fix and found.fix.command == "%pip install opencv-python-headless"


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("import not_there_at_all", "error"),
        ("def f():\n    import not_there_at_all", "warning"),
        ("try:\n    import not_there_at_all\nexcept ImportError:\n    pass", "info"),
        ("%pip install not-there-at-all\nimport not_there_at_all", "info"),
        ("from not_there_at_all.deep import x", "error"),
    ],
)
def test_how_bad_a_missing_package_is(look: Look, code: str, severity: str) -> None:
    assert only(look([code]), "missing-package").severity == severity


@pytest.mark.parametrize(
    "code",
    [
        "import numpy.linalg, sklearn, PIL, yaml",
        "import helper\nfrom pkg.deep import x",
        "from . import y",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import not_there",
        "import jupyter_dlsys",
    ],
)
def test_packages_that_are_there(look: Look, code: str) -> None:
    modules = [{"path": p, "content": ""} for p in ("helper.py", "pkg/deep.py")]
    assert "missing-package" not in codes(look([code], modules=modules))


def test_a_misspelt_package_is_not_offered_for_installation(look: Look) -> None:
    found = only(look(["import numyp"]), "missing-package")
    assert "Did you mean 'numpy'?" in found.message and found.fix is None


def test_other_kernels_are_not_looked_into(look: Look) -> None:
    made = notebook("import not_there_at_all", kernel="my-own-env")
    report = look(made)
    found = only(report, "unknown-kernel")
    assert "python3" in found.message and found.severity == "warning"
    made["metadata"] = {
        "kernelspec": {"name": "ir", "language": "R"},
        "language_info": {"name": "R"},
    }
    report = look(made)
    assert only(report, "unknown-kernel").severity == "error"
    assert "missing-package" not in codes(report) and "other-language" in codes(report)


@pytest.mark.parametrize(
    ("code", "found", "severity"),
    [
        ("input('name? ')", "waits-for-input", "error"),
        ("def ask():\n    return input()", "waits-for-input", "warning"),
        ("import getpass\ngetpass.getpass()", "waits-for-input", "error"),
        ("breakpoint()", "debugger", "error"),
        ("%debug", "debugger", "warning"),
        ("exit()", "ends-kernel", "warning"),
        ("while True:\n    pass", "endless-loop", "info"),
        ("while True:\n    for i in []:\n        break", "endless-loop", "info"),
    ],
)
def test_what_waits_for_a_person_or_for_ever(
    look: Look, code: str, found: str, severity: str
) -> None:
    assert only(look([code]), found).severity == severity


@pytest.mark.parametrize(
    "code",
    [
        "import jupyter_dlsys as dlsys\nx = dlsys.input",
        "def input(x):\n    return x\ninput(1)",
        "import matplotlib.pyplot as plt\nplt.show()",
        "while True:\n    if 1:\n        break",
        "import sys\nsys.exit(0)",
    ],
)
def test_what_does_not_wait(look: Look, code: str) -> None:
    assert not codes(look([code])) & {"waits-for-input", "endless-loop", "ends-kernel"}


@pytest.mark.parametrize(
    ("code", "found", "severity"),
    [
        ("import pandas as pd\npd.read_csv('data/train.csv')", "file-not-sent", "warning"),
        ("open('notes.txt')", "file-not-sent", "warning"),
        ("import numpy as np\nnp.load('x.npy')", "file-not-sent", "warning"),
        ("!wget http://x/data.csv\nopen('data.csv')", "file-not-sent", "info"),
        ("from pathlib import Path\nPath('a.txt').read_text()", "file-not-sent", "warning"),
        ("open('/home' '/ann/x.csv')", "absolute-path", "warning"),
        (r"open('C:\\data\\x.csv')", "absolute-path", "warning"),
        ("from pathlib import Path\nPath('~/data').expanduser()", "absolute-path", "warning"),
        ("import torch\ntorch.save({}, 'model.pt')", "file-not-kept", "info"),
        ("open('out.txt', 'w').write('a')", "file-not-kept", "info"),
    ],
)
def test_files(look: Look, code: str, found: str, severity: str) -> None:
    assert only(look([code]), found).severity == severity


@pytest.mark.parametrize(
    "code",
    [
        "open('t.ipynb')",
        "open('x.txt', 'w').write('a')\nopen('x.txt').read()",
        "import pandas as pd\npd.read_csv('https://example.com/x.csv')",
        "import json\njson.loads('a/b')",
        "name = 'x'\nopen(f'{name}.csv')",
        "open('/dev/null')",
    ],
)
def test_files_that_are_there(look: Look, code: str) -> None:
    assert not codes(look([code])) & {"file-not-sent", "absolute-path"}


def test_the_fix_of_a_written_file_is_a_line_that_runs(look: Look, tmp_path: Any) -> None:
    found = only(
        look(["from pathlib import Path\nPath('out.txt').write_text('a')"]), "file-not-kept"
    )
    assert found.fix and found.fix.action == "replace-line"
    import os
    from unittest import mock

    with mock.patch.dict(os.environ, DLSYS_OUTPUT_DIR=str(tmp_path)):
        exec(found.fix.value, {"Path": Path})
    assert (tmp_path / "out.txt").exists()


def test_parameters(look: Look) -> None:
    made = notebook("print(lr)", parameters="lr = 0.1\nepochs = 3\nname = 'a'\non = True")
    assert codes(look(made, parameters={"lr": 1, "epochs": 5, "name": "b", "on": False})) == set()
    found = only(look(made, parameters={"epoch": 1}), "unknown-parameter")
    assert found.fix and (found.fix.target, found.fix.value) == ("epoch", "epochs")
    for wrong in ({"epochs": "many"}, {"lr": "x"}, {"name": 3}, {"on": 1}, {"epochs": 1.5}):
        assert only(look(made, parameters=wrong), "parameter-type").severity == "warning"
    assert not look(made, parameters={"not a name": 1}).ok


def test_no_parameters_cell_is_worse_with_parameters(look: Look) -> None:
    cells = ["import os", "lr = 0.1\nlayers = [1, -2]", "print(lr)"]
    found = only(look(cells), "no-parameters-cell")
    assert found.severity == "info" and found.place and found.place.cell == 1
    assert found.fix and found.fix.action == "tag-parameters"
    assert only(look(cells, parameters={"lr": 1}), "no-parameters-cell").severity == "warning"


@pytest.mark.parametrize(
    ("written", "fixed"),
    [
        ("import dlsys", "import jupyter_dlsys as dlsys"),
        ("    from dlsys import input", "    from jupyter_dlsys import input"),
        ("import os, dlsys", None),
    ],
)
def test_our_own_module_is_not_looked_for_on_the_package_index(look: Look, written, fixed) -> None:
    before = "if True:\n" if written.startswith(" ") else ""
    found = only(look([f"{before}{written}\nprint(1)"]), "missing-package")
    assert "it is called jupyter_dlsys" in found.message
    assert (found.fix and found.fix.value) == fixed


def test_inputs(look: Look) -> None:
    code = "import jupyter_dlsys as dlsys\ndata = dlsys.input('tweet')"
    found = only(look([code]), "unbound-input")
    assert found.severity == "error" and found.place and found.place.line == 1
    assert found.fix and (found.fix.target, found.fix.value) == ("tweet", "tweets")
    bound = {"tweet": {"dataset": "tweets@v1"}}
    assert look([code], inputs=bound).ok
    unused = only(look(["1"], inputs={"x": {"dataset": "faces"}}), "unused-input")
    assert unused.severity == "warning"
    wrong = only(look([code], inputs={"tweet": {"dataset": "tweet@v1"}}), "no-such-dataset")
    assert wrong.severity == "error" and wrong.fix and wrong.fix.value == "tweets@v1"
    old = only(look([code], inputs={"tweet": {"dataset": "tweets@v9"}}), "no-such-version")
    assert old.fix and old.fix.value == "tweets"
    empty = only(look([code], inputs={"tweet": {"dataset": "empty"}}), "no-such-version")
    assert empty.fix is None  # no other version would do
    assert not look([code.replace("input('tweet')", "dataset('tweets')")]).ok


def test_impossible_resources_say_what_would_fit(look: Look) -> None:
    report = look(["import torch"], resources={"gpus": 2, "cpus": 99, "memory_bytes": 2**40})
    fixes = {f.fix.target: f.fix.value for f in report.findings if f.fix}
    assert {k: fixes[k] for k in ("gpus", "cpus", "memory_bytes")} == {
        "gpus": "0",
        "cpus": "4",
        "memory_bytes": str(8 * 2**30),
    }
    assert not report.ok


def test_gpus_that_are_not_used_and_those_that_are_missed(look: Look) -> None:
    assert "gpu-unused" in codes(look(["1"], resources={"gpus": 1}, gpus=("0",)))
    needed = only(look(["import torch\ntorch.zeros(1).cuda()"], gpus=("0",)), "gpu-needed")
    assert needed.fix and needed.fix.command == "--gpus 1"
    asked = "import torch\nd = 'cuda' if torch.cuda.is_available() else 'cpu'\ntorch.zeros(1).to(d)"
    assert "gpu-needed" not in codes(look([asked]))


def test_cold_start_and_installation_are_notes(look: Look) -> None:
    report = look(
        ["import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport torch", "%pip install x"]
    )
    assert only(report, "starts-cold").severity == "info"
    assert only(report, "installs-packages").severity == "info"


def test_old_outputs_are_weighed(look: Look) -> None:
    made = notebook("1")
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 6_000_000}
    made["cells"][0]["outputs"] = [output]
    assert "6 MB" in only(look(made), "large-outputs").message


def test_jobs_to_wait_for(look: Look) -> None:
    assert look(["1"], after=["GOOD", "NEW"]).ok
    assert not look(["1"], after=["BAD"]).ok
    assert "no job 'GONE'" in only(look(["1"], after=["GONE"]), "no-such-job").message


def test_scripts(look: Look) -> None:
    assert look("import sys\nprint(__file__, sys.argv)\nexit()").ok
    report = look("input()\nprint(nowhere)")
    assert codes(report) == {"waits-for-input", "undefined-name"}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"cells": []}', json.dumps({"nbformat": 3, "worksheets": []}), "\ufeff{}"],
)
def test_an_unreadable_source_is_an_error_of_its_own(content: str) -> None:
    from tests.unit.preflight.conftest import look_content

    report = look_content("t.ipynb", content)
    assert [f.code for f in report.findings] == ["unreadable-source"] and not report.ok


def test_errors_come_first(look: Look) -> None:
    report = look(["while True:\n    pass", "open('x')", "nowhere"])
    order = [f.severity for f in report.findings]
    assert order == sorted(order, key=["error", "warning", "info"].index) and not report.ok
    assert 0 < report.seconds < 1


HOSTILE = [
    "(" * 300,
    "-" * 5000 + "1",
    "x" + ".a" * 3000,
    "[" * 150 + "]" * 150,
    "1" * 5000,
    "\0",
    "a=" * 3000 + "1",
    "f(" * 150 + ")" * 150,
    "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 120)) + " " * 120 + "x",
    "'" + "\\N{BULLET}" * 100,
    "lambda: " * 500 + "1",
    "x" + "+x" * 20000,
]


@pytest.mark.parametrize("code", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_code_is_reported_on_not_fallen_over(look: Look, code: str) -> None:
    assert look([code]).findings
