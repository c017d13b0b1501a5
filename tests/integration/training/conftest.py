"""What is too slow to start for each file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.people import Setting, helped


@pytest.fixture(scope="session")
def setting(session_root: Path) -> Iterator[Setting]:
    """An unprivileged platform, the root helper, and two people with accounts."""
    session_root.chmod(0o711)
    folder = Path(tempfile.mkdtemp(prefix="k", dir=session_root))
    folder.chmod(0o711)
    with helped(folder) as found:
        yield found
    left = processes.end_leftovers(folder)
    assert not left, "left behind:\n" + "\n".join(left)
