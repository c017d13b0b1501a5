"""docs/security.md promises nothing whose test is gone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`")


def test_every_test_that_the_security_page_names_exists() -> None:
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    file, named = "", 0
    for path, test in NAMED.findall(text):
        file = path or file
        if not path and not test:
            continue
        named += 1
        source = (ROOT / file).read_text("utf-8")
        assert not test or f"def {test}(" in source, f"{file} has no {test}"
    assert named > 30
