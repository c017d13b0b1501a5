"""The SDK against a real platform: joining, resuming, restarting, committing, running, watching."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import jupyter_dlsys as dlsys
from jupyter_dlsys.client import embedded, inputs, uploads
from jupyter_dlsys.client.client import Client, connect
from jupyter_dlsys.client.errors import (
    ApiError,
    Conflict,
    JobFailed,
    NotConnected,
    NotFound,
    NotInstalled,
    StartFailed,
    TimedOut,
    Unauthenticated,
    UsageError,
)
from tests.support.doors import end_platform

pytestmark = [
    pytest.mark.integration,
    # httpcore leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROWS = [{"text": "(^_^)", "label": "happy"}, {"text": "(T_T)", "label": "sad"}] * 5
SCRIPT = """
import time
import mlflow
import jupyter_dlsys as dlsys
steps = 3
frame = dlsys.input("data").to_pandas()
print("rows", len(frame))
for step in range(steps):
    mlflow.log_metric("loss", 1 / (step + 1), step=step)
    time.sleep(pause)
"""


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test bound does not reach the next one."""
    monkeypatch.setattr(inputs, "_session", inputs._Session())


@pytest.fixture(scope="module")
def tweets(client: Client) -> str:
    """A dataset with one version."""
    client.datasets.commit("tweets", ROWS, message="first", tags={"source": "test"})
    return "tweets"


# -- join, start --------------------------------------------------------------


def test_doors_that_come_at_once_start_one_platform(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from jupyter_dlsys.client import embedded;"
        "print(embedded.join(Path(sys.argv[1])).pid)"
    )
    command = [sys.executable, "-c", code, str(home)]
    doors = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {door.communicate(timeout=90)[0].strip() for door in doors}
    assert pids == {str(embedded.read(home).pid)}  # type: ignore[union-attr]


def test_the_folder_is_private_and_the_platform_has_no_token_of_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_platform(home)
    for name in ("JUPYTERHUB_API_TOKEN", "JUPYTER_TOKEN", "JPY_API_TOKEN", "DLSYS_TOKEN"):
        monkeypatch.setenv(name, "should-stay-here")
    found = embedded.join(home)
    environment = Path(f"/proc/{found.pid}/environ").read_bytes()
    assert b"should-stay-here" not in environment
    assert found.token.encode() not in Path(f"/proc/{found.pid}/cmdline").read_bytes()
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "secret").stat().st_mode & 0o077 == 0
    assert found.token not in repr(found)


def test_without_the_platforms_libraries_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(NotInstalled, match=r"jupyter-dlsys\[server\]"):
        embedded.join(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_platform_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLSYS_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite")
    with pytest.raises(StartFailed, match="last words"):
        embedded.join(tmp_path / "home", timeout=60)


def test_a_url_without_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    with pytest.raises(Unauthenticated, match="DLSYS_TOKEN"):
        connect("http://127.0.0.1:1")
    with connect("http://127.0.0.1:1", "t") as nobody, pytest.raises(NotConnected):
        nobody.system.whoami()


def test_a_url_and_a_token_are_enough(home: Path) -> None:
    found = embedded.join(home)
    with connect(found.url, found.token) as client:
        assert client.project == "default"
    with connect(found.url, "wrong") as client, pytest.raises(Unauthenticated):
        client.system.whoami()


def test_a_client_goes_on_with_a_platform_that_was_killed_and_came_back(
    home: Path, client: Client
) -> None:
    assert client.system.whoami().kind == "user"
    before = embedded.join(home)
    os.kill(before.pid, signal.SIGKILL)
    assert embedded.wait_until_gone(home, 10)
    assert client.system.health().state in ("ok", "degraded", "starting")
    assert embedded.read(home) != before


# -- data ---------------------------------------------------------------------


def test_a_first_commit_makes_the_dataset_and_a_refused_one_leaves_nothing(
    client: Client, tmp_path: Path
) -> None:
    made = client.datasets.commit("fresh", pd.DataFrame(ROWS), message="m", tags={"k": "v"})
    assert (made.version, made.rows, made.tags) == (1, 10, {"k": "v"})
    assert client.datasets.show("fresh").kind == "text-classification"
    (tmp_path / "bad.csv").write_text("text,label\nhi,happy\nho,sad,more\n")
    with pytest.raises(ApiError) as caught:
        client.datasets.commit("stale", tmp_path / "bad.csv")
    assert any(problem.row == 2 for problem in caught.value.errors)
    with pytest.raises(NotFound):
        client.datasets.show("stale")
    with pytest.raises(NotFound):
        client.datasets.commit("stale", ROWS, create=False)
    with pytest.raises(UsageError, match="no data"):
        client.datasets.commit("fresh")


def test_rows_are_replaced_deleted_and_guarded_by_their_parent(client: Client) -> None:
    client.datasets.commit("moving", ROWS)
    deleted = client.datasets.commit("moving", operation="delete", where="label == 'sad'", parent=1)
    assert (deleted.rows, deleted.rows_removed) == (5, 5)
    with pytest.raises(Conflict):
        client.datasets.commit("moving", ROWS, parent=1)
    replaced = client.datasets.commit("moving", ROWS[:3], operation="replace")
    assert replaced.rows == 3
    assert [v.version for v in client.datasets.history("moving")] == [3, 2, 1]


def test_a_long_list_is_read_over_its_pages(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_dlsys.client import resource

    monkeypatch.setattr(resource, "PAGE", 2)
    names = [f"many-{i}" for i in range(5)]
    for name in names:
        client.datasets.create(name)
    found = [d.name for d in client.datasets.list()]
    assert set(names) <= set(found)
    assert len(found) == len(set(found))
    assert len(client.datasets.list(limit=3)) == 3


def test_an_upload_goes_on_where_the_line_broke(
    client: Client, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE_BYTES", 1 << 16)
    path = tmp_path / "rows.csv"
    path.write_text("n\n" + "12345\n" * 100_000)
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == path.stat().st_size
        if not seen:
            os.kill(embedded.join(home).pid, signal.SIGKILL)
            assert embedded.wait_until_gone(home, 10)
        seen.append(done)

    made = client.datasets.commit("resumed", path, progress=progress)
    assert made.rows == 100_000
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


def test_a_dataset_reads_the_same_by_reference_binding_and_name(
    client: Client, tweets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs._session.client = client
    frame = dlsys.dataset("tweets@v1").to_pandas()
    assert frame["text"].tolist() == [row["text"] for row in ROWS]
    dlsys.bind("data", "tweets@v1", where="label == 'sad'")
    assert len(dlsys.input("data").to_pandas()) == 5
    assert len(dlsys.input("tweets").to_pandas()) == 10
    assert "using tweets@v1" in capsys.readouterr().err
    with pytest.raises(UsageError, match="It is not clear which dataset 'other' is"):
        dlsys.input("other")


# -- jobs ---------------------------------------------------------------------


def submit(client: Client, folder: Path, pause: float, **more: object) -> str:
    path = folder / "train.py"
    path.write_text(SCRIPT.replace("pause", str(pause)))
    return client.jobs.submit(path, inputs={"data": "tweets@v1"}, **more).id  # type: ignore[arg-type]


def test_a_job_is_watched_from_its_first_event_to_its_end(
    client: Client, tweets: str, tmp_path: Path
) -> None:
    job = submit(client, tmp_path, 0.1)
    events = list(client.jobs.watch(job))
    assert [e.seq for e in events] == sorted({e.seq for e in events})
    losses = [e.payload["value"] for e in events if e.topic == "job.metric"]
    assert losses == pytest.approx([1, 1 / 2, 1 / 3])
    assert events[-1].payload["state"] == "succeeded"
    found = client.jobs.wait(job)
    assert found.succeeded
    assert found.inputs["data"].dataset == "tweets"
    assert "rows 10" in client.jobs.log(job)
    assert list(client.jobs.watch(job)) == events
    assert "Done" in found._repr_html_()


def test_a_watch_goes_on_over_a_restart_of_the_platform(
    client: Client, home: Path, tweets: str, tmp_path: Path
) -> None:
    job = submit(client, tmp_path, 2)
    killed = False
    events = []
    for event in client.jobs.watch(job):
        events.append(event)
        if event.topic == "job.metric" and not killed:
            killed = True
            os.kill(embedded.join(home).pid, signal.SIGKILL)
    assert killed
    assert [e.seq for e in events] == sorted({e.seq for e in events})
    losses = [e.payload["value"] for e in events if e.topic == "job.metric"]
    assert losses == pytest.approx([1, 1 / 2, 1 / 3])
    assert events[-1].payload["state"] == "succeeded"


def test_waiting_ends_in_time_and_a_failed_job_raises(
    client: Client, tweets: str, tmp_path: Path
) -> None:
    job = submit(client, tmp_path, 30)
    with pytest.raises(TimedOut, match="It goes on"):
        client.jobs.wait(job, timeout=0.2)
    client.jobs.cancel(job)
    assert client.jobs.wait(job, 60, check=False).state == "cancelled"
    with pytest.raises(JobFailed, match="did not succeed"):
        client.jobs.wait(job)


def test_several_threads_share_a_client(client: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: client.system.whoami().name, range(20)))
    assert len(set(found)) == 1


def test_events_come_to_who_listens(client: Client) -> None:
    heard = threading.Event()

    def listen() -> None:
        for event in client.system.events(0, topics=["dataset."], subjects=["dataset/heard"]):
            if event.subject == "dataset/heard":
                heard.set()
                return

    threading.Thread(target=listen, daemon=True).start()
    client.datasets.create("heard")
    assert heard.wait(20)
