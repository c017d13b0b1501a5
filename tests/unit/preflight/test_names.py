"""Names that are used before they are there, and everything that only looks so."""

from __future__ import annotations

import pytest

from tests.support.platform import notebook
from tests.unit.preflight.conftest import Look, only

FINE = {
    "comprehensions": ["xs = [1]\nys = [x * y for x in xs for y in xs if x]\n{k: k for k in ys}"],
    "functions use what comes later": ["def f():\n    return later", "later = 1", "f()"],
    "mutual recursion": ["def a(n):\n    return b(n)\ndef b(n):\n    return n and a(n - 1)\na(3)"],
    "classes": ["class A:\n    x = 1\n    y = x\n    def m(self): return A().x\nA().m()"],
    "global": ["def f():\n    global made\n    made = 1", "f()\nprint(made)"],
    "walrus": ["if (n := 3) > 2:\n    print(n)\n[last := i for i in range(3)]", "last"],
    "match": ["match [1, {'a': 2}]:\n    case [x, {'a': y, **rest}]:\n        print(x, y, rest)"],
    "try import": ["try:\n    import json as j\nexcept ImportError:\n    j = None\nj"],
    "tried name": ["try:\n    unicode\nexcept NameError:\n    unicode = str"],
    "history": ["1 + 1", "_, __, In, Out, _1, _i2", "display(get_ipython())"],
    "del and again": ["x = 1\ndel x\nx = 2", "x"],
    "await at the top": ["import asyncio as a\nawait a.sleep(0)", "async def f(): pass\nawait f()"],
    "magics": [
        "%load_ext autoreload\n%time m = 1\nfiles = !ls -l \\\n  /tmp\n?print\nm?",
        "print(m, files)",
        "%%capture out\nz = 1",
        "out, z",
        "%%bash\necho $HOME; for i in 1 2; do undefined; done",
        "text = '''\n%s\n!x\n''' % 1\n(m\n % 2)",
    ],
    "loops and with": ["for i in range(3): pass\nwith open('/dev/null') as f: pass", "i, f"],
    "decorators and defaults": ["d = 1\ndef f(x=d, *a, k: int = d, **kw):\n    return x, a, k, kw"],
    "nested": ["def f(a):\n    def g():\n        nonlocal a\n        a += 1\n    return g\nf(1)"],
    "lambda": ["f = lambda q: q + r", "r = 1", "f(1)"],
}  # fmt: skip


@pytest.mark.parametrize("cells", FINE.values(), ids=FINE)
def test_what_is_right_is_not_told_of(look: Look, cells: list[str]) -> None:
    report = look(cells)
    assert [f for f in report.findings if f.code in ("undefined-name", "syntax-error")] == []


def test_a_name_of_a_later_cell_says_where_and_moves_the_cell(look: Look) -> None:
    found = only(look(["import os", "a = 1\nprint(total)", "1", "total = 3"]), "undefined-name")
    assert found.severity == "error"
    assert found.message == "'total' is used here but defined later, in cell 4."
    assert found.place and (found.place.cell, found.place.line) == (1, 1)
    assert found.fix and (found.fix.action, found.fix.value) == ("move-cell", "3")


def test_the_cell_is_not_moved_past_one_that_needs_it(look: Look) -> None:
    found = only(look(["a = total", "b = a", "total = 3"]), "undefined-name")
    assert found.fix is None
    assert "cell 3" in found.message


@pytest.mark.parametrize(
    ("cells", "severity", "words"),
    [
        (["train_loader = 1", "print(train_laoder)"], "error", "Did you mean 'train_loader'?"),
        (["np.zeros(3)"], "error", "import numpy as np"),
        (["def f():\n    return nowhere"], "warning", "when it is called"),
        (["import os\nif os.getpid() < 0:\n    nowhere"], "warning", "not defined"),
        (["x = 1\ndel x", "x"], "error", "'x'"),
        (["from __future__ import annotations\nx: Nowhere = 1"], "warning", "'Nowhere'"),
        (["%run other.ipynb", "from_other + 1"], "warning", "may define it"),
        (["exec('y = 1')", "y"], "warning", "may define it"),
        (["[i for i in range(3)]\nprint(i)"], "error", "'i'"),
        (["class A:\n    attribute = 1", "attribute"], "error", "'attribute'"),
        (["print(__file__)"], "error", "not defined in a notebook"),
    ],
)
def test_what_is_missing(look: Look, cells: list[str], severity: str, words: str) -> None:
    found = only(look(cells), "undefined-name")
    assert found.severity == severity
    assert words in found.message


def test_a_function_called_before_what_it_uses(look: Look) -> None:
    cells = [
        "def deep():\n    return config['lr']\ndef f():\n    return deep()",
        "f()",
        "config = {}",
    ]
    found = only(look(cells), "undefined-name")
    assert found.severity == "warning"
    assert found.message == "f() uses 'config', which is defined later, in cell 3."
    assert found.place and found.place.cell == 1


def test_parameters_define_their_names(look: Look) -> None:
    assert look(["print(lr)"], parameters={"lr": 1}).ok
    after_its_cell = notebook("print(lr, extra)", parameters="lr = 1")
    assert look(after_its_cell, parameters={"extra": 2}).ok
    before = notebook("x = 1", parameters="lr = 1\ny = extra")
    assert not look(before, parameters={"extra": 2}).ok


def test_a_star_import_is_one_warning(look: Look) -> None:
    found = look(["from math import *\nprint(sin(pi), cos(tau))"])
    assert found.ok
    assert "'sin'" in only(found, "star-import").message


def test_a_cell_whose_errors_are_tolerated_is_a_note(look: Look) -> None:
    made = notebook("nowhere")
    made["cells"][0]["metadata"]["tags"] = ["raises-exception"]
    assert only(look(made), "undefined-name").severity == "info"


def test_a_broken_cell_hides_what_it_would_define(look: Look) -> None:
    report = look(["model = build(", "model.fit()"])
    broken = only(report, "syntax-error")
    assert broken.place and (broken.place.cell, broken.place.line) == (0, 0)
    assert [f.code for f in report.findings if f.severity == "error"] == ["syntax-error"]


def test_text_cells_count_in_places(look: Look) -> None:
    made = notebook("x = 1", "y")
    made["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": "# hi"})
    found = only(look(made), "undefined-name")
    assert found.place and found.place.cell == 2


def test_two_hundred_cells_take_less_than_a_second(look: Look) -> None:
    cells = [
        f"import numpy as np\ndef f{i}(a, b):\n    return a + b * np.sin({i})\n"
        + "\n".join(f"v{i}_{j} = f{i}({j}, {i}) + sum(k for k in range({j}))" for j in range(6))
        for i in range(200)
    ]
    import time

    spent = []
    for _ in range(3):  # the best: a machine that does other things counts its waits as ours
        began = time.process_time()
        assert look(cells).ok
        spent.append(time.process_time() - began)
    assert min(spent) < 1
