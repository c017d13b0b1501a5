"""Where the bytes of chunks come from: the store's folder on this machine, or the platform."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from jupyter_dlsys.client.errors import BY_STATUS, ApiError, NotConnected, PlatformFault
from jupyter_dlsys.contract.references import blob_key

FetchChunk = Callable[[str], bytes]
BLOCK = 1 << 20
FICLONE = 0x40049409
TRIES = 4


def fetch_from_platform(sha256: str) -> bytes:
    """The bytes of a chunk over HTTP, as DLSYS_URL, DLSYS_TOKEN and DLSYS_PROJECT say.

    Raises:
        NotConnected: no platform answers there.
        ApiError: it refuses.
    """
    url = os.environ.get("DLSYS_URL")
    token = os.environ.get("DLSYS_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
    if not url or urlsplit(url).scheme not in ("http", "https"):
        raise NotConnected(
            "The chunks of this snapshot are not on this machine, and DLSYS_URL is not set.",
            hint="Open the dataset through a connected client, or set DLSYS_URL and DLSYS_TOKEN.",
        )
    project = quote(os.environ.get("DLSYS_PROJECT", "default"), safe="")
    request = urllib.request.Request(  # noqa: S310  the scheme is checked above
        f"{url.rstrip('/')}/api/v1/projects/{project}/chunks/{sha256}",
        headers={"Authorization": f"Bearer {token}"},
    )
    for number in range(TRIES):
        try:
            return _send(request)
        except (OSError, ApiError) as error:
            again = not isinstance(error, ApiError) or error.status == 503
            if number + 1 == TRIES or not again:
                if isinstance(error, ApiError):
                    raise
                raise NotConnected(
                    f"The platform at {url} does not answer: {error}",
                    hint="`dlsys doctor` shows the state of the platform.",
                ) from error
        time.sleep(0.3 * 2**number)
    raise AssertionError("unreachable")


def _send(request: urllib.request.Request) -> bytes:
    host = urlsplit(request.full_url).hostname or ""
    near = host in ("localhost", "::1") or host.startswith("127.")
    handlers = [urllib.request.ProxyHandler({})] if near else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            kind = BY_STATUS.get(error.code, ApiError)
            raise kind(f"The platform refused a chunk: {error.code} {error.reason}") from None


def verified(data: bytes, sha256: str) -> bytes:
    """The same bytes, if they have this hash.

    Raises:
        PlatformFault: they have not.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(sha256)
    return data


def local_chunk(local_root: str | None, sha256: str) -> Path | None:
    """The chunk's file in the store's folder, when this process can read it."""
    if not local_root:
        return None
    path = Path(local_root) / blob_key(sha256)
    return path if os.access(path, os.R_OK) else None


def place(source: Path, target: Path, sha256: str) -> None:
    """Put a chunk of the store at `target`, cheaply and so that a write cannot reach the store.

    A reflink where the file system has them; else a hard link to the read-only file, unless this
    is root, for whom read-only means nothing; else a copy. What is placed is verified.

    Raises:
        PlatformFault: the file in the store is damaged.
    """
    with new_file(target) as part:
        if not _reflink(source, part) and not _hard_link(source, part):
            shutil.copyfile(source, part)
        if _hash(part) != sha256:
            raise _damaged(sha256)


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A temporary file beside `target` that becomes it at the end of the block, or vanishes."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _reflink(source: Path, target: Path) -> bool:
    try:
        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
    except OSError:
        return False
    return True


def _hard_link(source: Path, target: Path) -> bool:
    if os.geteuid() == 0 or source.stat().st_mode & 0o222:
        return False
    try:
        target.unlink()
        os.link(source, target)
    except OSError:
        return False
    return True


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _damaged(sha256: str) -> PlatformFault:
    return PlatformFault(
        f"Chunk {sha256} is damaged: its bytes do not have this hash.",
        code="object-damaged",
        hint="Commit the same data again, or restore the object store from a backup.",
    )
