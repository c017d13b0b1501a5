"""Checkpoints between attempts and jobs; what a job leaves in the folder is not trusted."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlsys_server.core.errors import Broken
from dlsys_server.core.store import LocalStore
from dlsys_server.training import checkpoints as room
from dlsys_server.training.checkpoints import Checkpoints
from dlsys_server.training.keeping import Keeper
from dlsys_server.training.tables import JobRow

NAME = "00000001-step-7"


@pytest.fixture
def attempts(tmp_path):
    root = tmp_path / "attempts"
    folder = lambda job: root / job.id / str(job.attempt)  # noqa: E731
    return SimpleNamespace(
        take_back=lambda job, number: None,
        root=root,
        folder=folder,
        own=lambda job: folder(job) / "job",
    )


@pytest.fixture
def checkpoints(tmp_path, attempts):
    store = LocalStore(tmp_path / "store")
    return Checkpoints(Keeper(store, attempts, tmp_path / "cache"), attempts)


def a_job(attempt=1, **values):
    return JobRow(id="j", attempt=attempt, **values)


def written(attempts, job, name=NAME, **files) -> Path:
    folder = attempts.own(job) / "checkpoints" / name
    (folder / "deep").mkdir(parents=True)
    for file, text in {"state": "seven", **files}.items():
        (folder / "deep" / file).write_text(text)
    return folder


def test_the_next_attempt_finds_it_without_a_copy(attempts, checkpoints):
    source = written(attempts, a_job(1))
    assert checkpoints.carry(a_job(3)) == 7
    found = attempts.own(a_job(3)) / "checkpoints" / NAME / "deep" / "state"
    assert found.read_text() == "seven"
    assert found.stat().st_ino == (source / "deep" / "state").stat().st_ino
    assert checkpoints.carry(a_job(3)) == 7, "it may be repeated"


def test_the_newest_attempt_that_has_one_counts_and_the_unfinished_never(attempts, checkpoints):
    written(attempts, a_job(1))
    written(attempts, a_job(2), "00000002-step-9")
    written(attempts, a_job(3), ".part-1-abc")
    assert checkpoints.carry(a_job(4)) == 9
    assert os.listdir(attempts.own(a_job(4)) / "checkpoints") == ["00000002-step-9"]


def test_without_one_there_is_none(checkpoints):
    assert checkpoints.carry(a_job(2)) is None
    assert checkpoints.keep(a_job(2)) is None


def test_links_out_of_the_folder_are_not_followed(attempts, checkpoints, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("s3cret")
    folder = written(attempts, a_job(1))
    (folder / "file").symlink_to(tmp_path / "secret" / "key")
    (folder / "dir").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    checkpoints.carry(a_job(2))
    found = attempts.own(a_job(2)) / "checkpoints" / NAME
    assert [p.name for p in found.rglob("*")] == ["deep", "state"]
    sha = checkpoints.keep(a_job(2))
    assert b"s3cret" not in checkpoints.keeper.read(sha)


@pytest.mark.parametrize("replaced", ["checkpoints", f"checkpoints/{NAME}"])
def test_a_folder_that_became_a_link_is_no_checkpoint(attempts, checkpoints, tmp_path, replaced):
    elsewhere = tmp_path / "elsewhere" / NAME
    elsewhere.mkdir(parents=True)
    (elsewhere / "key").write_text("s3cret")
    own = attempts.own(a_job(1))
    target = elsewhere.parent if replaced == "checkpoints" else elsewhere
    (own / replaced).parent.mkdir(parents=True)
    (own / replaced).symlink_to(target)
    assert checkpoints.carry(a_job(2)) is None
    assert checkpoints.keep(a_job(1)) is None


def test_files_of_somebody_else_are_left_out(attempts, checkpoints):
    if os.getuid() != 0:
        pytest.skip("not applicable: only root can make files of others")
    folder = written(attempts, a_job(1), foreign="not ours")
    os.chown(folder / "deep" / "foreign", 12345, 12345)
    checkpoints.carry(a_job(2))
    found = attempts.own(a_job(2)) / "checkpoints" / NAME / "deep"
    assert os.listdir(found) == ["state"]


def test_a_kept_one_is_found_by_the_job_that_retries(attempts, checkpoints):
    written(attempts, a_job(1))
    sha = checkpoints.keep(a_job(1))
    assert checkpoints.keep(a_job(1)) == sha, "the same checkpoint gives the same bytes"
    new = JobRow(id="k", attempt=1, checkpoint_sha=sha)
    assert checkpoints.carry(new) == 7
    found = attempts.own(new) / "checkpoints" / NAME / "deep" / "state"
    assert found.read_text() == "seven"
    assert checkpoints.keep(JobRow(id="m", attempt=1, checkpoint_sha=sha)) == sha


def test_one_that_is_too_large_is_not_kept(attempts, checkpoints, monkeypatch):
    written(attempts, a_job(1), big="x" * 1000)
    monkeypatch.setattr(room, "MAX_BYTES", 500)
    assert checkpoints.keep(a_job(1)) is None
    assert os.listdir(attempts.root / "j") == ["1"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        (f"{NAME}/../../evil", tarfile.REGTYPE),
        ("/evil", tarfile.REGTYPE),
        ("evil", tarfile.REGTYPE),
        (f"{NAME}/evil", tarfile.SYMTYPE),
        (f"{NAME}/evil", tarfile.LNKTYPE),
        (f"{NAME}/evil", tarfile.CHRTYPE),
    ],
)
def test_an_archive_writes_only_files_of_a_checkpoint(checkpoints, tmp_path, name, kind):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    sha = checkpoints.keeper.store.put(data.getvalue())
    with pytest.raises(Broken, match="damaged"):
        checkpoints.carry(a_job(1, checkpoint_sha=sha))
    assert not list(tmp_path.rglob("evil"))


def test_a_cut_off_archive_is_refused(attempts, checkpoints):
    written(attempts, a_job(1), big="x" * 100_000)
    sha = checkpoints.keep(a_job(1))
    short = checkpoints.keeper.store.put(checkpoints.keeper.read(sha)[:50_000])
    with pytest.raises(Broken, match="damaged"):
        checkpoints.carry(JobRow(id="k", attempt=1, checkpoint_sha=short))
