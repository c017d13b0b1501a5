"""Fixtures that all tests share, and the rules of a test run.

- A run never touches the person's own platform, Jupyter settings or cache.
- No test leaves a process behind: whatever still lives is ended and the test fails.
- With CI=true a test that would be skipped for a missing part fails instead.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import ports, processes
from tests.support.postgres import PostgresServer, start_postgres
from tests.support.seaweed import Bucket, SeaweedServer, start_seaweed

LONGEST = (
    "integration/training/test_kills.py",
    "hub/test_outages.py",
    "integration/backup/test_round.py",
    "e2e/test_demo.py",
    "integration/access/test_matrix.py",
    "integration/test_platforms.py",
    "ui/test_live_notebook.py",
    "hub/test_crowd.py",
    "integration/serving/test_deployments.py",
    "ui/test_lab.py",
    "integration/training/test_agent.py",
    "hub/test_admin_tab.py",
    "integration/training/test_abuse.py",
    "hub/test_lab_shared.py",
    "integration/test_processes.py",
    "integration/api/test_fuzz.py",
    "ui/test_compute.py",
    "integration/access/test_quotas.py",
)
"""Files that take a minute or more: they begin, so that no process works alone at the end."""
NOT_APPLICABLE = "not applicable"
"""A skip whose reason starts so is about the machine's kind, not about a missing part."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; all others as they were."""
    folder = Path(__file__).parent
    rank = {folder / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session", autouse=True)
def session_root() -> Iterator[Path]:
    """A short private folder for this run, which every started process can be known by."""
    root = Path(tempfile.mkdtemp(prefix="dl", dir=_short_tmp()))
    own = {name for name in os.environ if name.startswith(("DLSYS_", "MLFLOW_", "JUPYTER"))}
    with pytest.MonkeyPatch.context() as patch:
        for name in own:
            patch.delenv(name)
        for name, folder in {
            "DLSYS_HOME": "home",
            "JUPYTER_CONFIG_DIR": "jc",
            "JUPYTER_DATA_DIR": "jd",
            "JUPYTER_RUNTIME_DIR": "jr",
            "IPYTHONDIR": "ipy",
            "XDG_CACHE_HOME": "cache",
        }.items():
            patch.setenv(name, str(root / folder))
        patch.setenv("DLSYS_WARM_IMPORTS", "mlflow")  # all that jobs may want takes 4 s more
        patch.setenv(processes.MARK, str(root))
        yield root
        left = processes.end_leftovers(root)
    shutil.rmtree(root, ignore_errors=True)
    assert not left, "processes outlived the tests:\n" + "\n".join(left)


@pytest.fixture
def dlsys_home(session_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder, also in DLSYS_HOME; short, so that unix sockets fit in it (107 bytes).

    What a test started in it has to be gone when the test ends.
    """
    home = Path(tempfile.mkdtemp(prefix="h", dir=session_root))
    monkeypatch.setenv("DLSYS_HOME", str(home))
    yield home
    left = processes.end_leftovers(home)
    shutil.rmtree(home, ignore_errors=True)
    assert not left, "the test left processes behind:\n" + "\n".join(left)


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on, outside the range of outgoing connections."""
    return ports.free_port()


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """`free_ports(n)`: n different ports, as in `free_port`."""
    return lambda count: [ports.free_port() for _ in range(count)]


@pytest.fixture(scope="session")
def postgres_server(session_root: Path) -> Iterator[PostgresServer]:
    """A real PostgreSQL on loopback, one for each test process."""
    with start_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """SQLAlchemy URL (`postgresql+psycopg://…`) of a database of its own, empty."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def seaweed_server(session_root: Path) -> Iterator[SeaweedServer]:
    """A real S3 server (SeaweedFS) on loopback, one for each test process."""
    with start_seaweed(session_root / "weed") as server:
        yield server


@pytest.fixture
def s3_bucket(seaweed_server: SeaweedServer) -> Iterator[Bucket]:
    """A fresh bucket: `.endpoint_url`, `.access_key`, `.secret_key`, `.name`, `.url` (s3://…)."""
    with seaweed_server.bucket() as bucket:
        yield bucket


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    if report.skipped:
        _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
    reason = reason.removeprefix("Skipped: ")
    if os.environ.get("CI") == "true" and not reason.startswith(NOT_APPLICABLE):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {reason}"


def _short_tmp() -> str:
    """The system's temporary directory unless its path is too long for a unix socket."""
    system = tempfile.gettempdir()
    return system if len(system) < 24 or not os.path.isdir("/tmp") else "/tmp"
