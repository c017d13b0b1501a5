"""Row filters: what they select, and that they are nothing but filters."""

from __future__ import annotations

from datetime import datetime, timezone

import pyarrow as pa
import pytest

from dlsys_server.core.errors import InvalidInput
from dlsys_server.datasets.expressions import Filter

BATCH = pa.RecordBatch.from_pydict(
    {
        "n": pa.array([1, 2, 3, None], pa.int32()),
        "x": [0.5, float("nan"), 2.5, -1.0],
        "s": ["spam", "ham", None, "Köln ham"],
        "flag": [True, False, True, None],
        "at": pa.array(
            [datetime(2024, m, 1, tzinfo=timezone.utc) for m in (1, 2, 3, 4)],
            pa.timestamp("us", "UTC"),
        ),
        "v": [[1], [], [1, 2], None],
        "odd name": [1, 2, 3, 4],
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("n == 2", [1]),
        ("n != 2", [0, 2]),
        ("2 <= n", [1, 2]),
        ("1 < n <= 3", [1, 2]),
        ("n > 1.5", [1, 2]),
        ("n in [1, 3]", [0, 2]),
        ("n not in (1, 3)", [1, 3]),
        ("n is None", [3]),
        ("n is not None", [0, 1, 2]),
        ("x is None", [1]),
        ("x == -1", [3]),
        ("s == 'spam' or n == 2", [0, 1]),
        ("not s == 'spam'", [1, 3]),
        ("s.contains('ham') and n is None", [3]),
        ("s.startswith('Köln')", [3]),
        ("s.endswith('am')", [0, 1, 3]),
        ("len(s) > 4", [3]),
        ("len(v) == 0", [1]),
        ("flag", [0, 2]),
        ("not flag", [1]),
        ("at >= '2024-03-01T00:00:00Z'", [2, 3]),
        ("column('odd name') == 4", [3]),
        ("s in ['spam', 'ham']", [0, 1]),
    ],
)
def test_selects(text: str, rows: list[int]) -> None:
    found = Filter(text, BATCH.schema)
    assert found.matching(BATCH).column("odd name").to_pylist() == [r + 1 for r in rows]
    rest = [r for r in range(4) if r not in rows]
    assert found.without(BATCH).column("odd name").to_pylist() == [r + 1 for r in rest]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("n ==", "not a condition"),
        ("m == 1", "no column 'm'"),
        ("n", "not a condition"),
        ("n == 'a'", "cannot be compared"),
        ("s == 1", "cannot be compared"),
        ("n == None", "never true"),
        ("1 == 1", "compares no column"),
        ("__import__('os').system('true')", "no .system()"),
        ("(lambda: 1)() == 1", "not known"),
        ("s.__class__ == 1", "not a column"),
        ("s.format('x')", "no .format()"),
        ("len(n) > 1", "len() needs"),
        ("n.contains('x')", "needs text"),
        ("n in 'abc'", "list"),
        ("n in [1, 'a']", "cannot be compared"),
        ("n in [99999999999]", "does not fit"),
        ("n == 10**30", "not a column"),
        ("n == 1" + "0" * 60, "too large"),
        ("at > 'yesterday'", "cannot be compared"),
        ("n == 1; n", "not a condition"),
        ("(" * 900 + "n" + ")" * 900, ""),
        ("not " * 900 + "flag", ""),
    ],
)
def test_refuses(text: str, told: str) -> None:
    if text.startswith("not not"):
        assert Filter(text, BATCH.schema).matching(BATCH).num_rows == 2
        return
    with pytest.raises(InvalidInput) as caught:
        Filter(text, BATCH.schema)
    assert told in caught.value.detail
    assert caught.value.hint


def test_suggests_the_near_column() -> None:
    with pytest.raises(InvalidInput) as caught:
        Filter("lable == 'x'", pa.schema([("label", pa.string())]))
    assert "label" in caught.value.hint
