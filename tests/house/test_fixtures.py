"""The shared fixtures give what they promise; other tests rest on that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.seaweed import Bucket


def test_a_unix_socket_fits_in_the_data_folder(dlsys_home: Path) -> None:
    path = dlsys_home / "gateway" / "a-socket-with-a-rather-long-name.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert os.environ["DLSYS_HOME"] == str(dlsys_home)
    assert dlsys_home.stat().st_mode & 0o777 == 0o700


def test_leftover_processes_are_found_and_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    detached = subprocess.Popen(
        command, start_new_session=True, cwd="/", env={"DLSYS_HOME": str(tmp_path / "home")}
    )
    left = processes.end_leftovers(tmp_path, grace=0)
    assert len(left) == 1
    assert str(detached.pid) in left[0]
    assert detached.wait(5) == -9
    assert processes.end_leftovers(tmp_path, grace=0) == []


@pytest.mark.integration
@pytest.mark.postgres
def test_postgres_gives_each_test_an_empty_database(postgres_url: str) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres_url)
    with engine.begin() as connection:
        version = connection.scalar(sqlalchemy.text("select version()"))
        connection.execute(sqlalchemy.text("create table t (x int)"))
    engine.dispose()
    assert "PostgreSQL" in version


@pytest.mark.integration
@pytest.mark.s3
def test_the_object_server_keeps_what_it_is_given(s3_bucket: Bucket) -> None:
    import s3fs

    store = s3fs.S3FileSystem(
        key=s3_bucket.access_key,
        secret=s3_bucket.secret_key,
        endpoint_url=s3_bucket.endpoint_url,
        skip_instance_cache=True,
    )
    store.pipe_file(f"{s3_bucket.name}/a/b", b"seven")
    assert store.cat_file(f"{s3_bucket.name}/a/b") == b"seven"
