"""The object store: immutable blobs named by the SHA-256 of their bytes.

A blob is there or it is not: `put` returns only when the whole of it is durable, a repeated put
changes nothing, and `get` gives back the bytes that were put or fails. Blobs lie at
`objects/ab/abcdef…` under the store's root, a local folder or an `s3://bucket/prefix`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyter_dlsys.contract.references import blob_key
from jupyter_dlsys.contract.system import PartHealth

from .disk import sync
from .errors import Broken, DlsysError, InvalidInput, Unavailable
from .recent import SMALL_BYTES, RecentBlobs

BLOCK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ObjectStore(ABC):
    """Blobs by SHA-256. Thread-safe."""

    local_root: str | None = None
    """Folder that holds `objects/`, when it is on this machine."""

    def put(self, data: bytes) -> str:
        """Keep a blob; returns its SHA-256 when it is durable."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self._size_or_none(sha256) != len(data):
            self._write(sha256, data)
        return sha256

    def put_file(self, path: Path) -> str:
        """Keep the bytes of a file; returns their SHA-256 when they are durable."""
        sha256 = hash_file(path)
        if self._size_or_none(sha256) != path.stat().st_size:
            self._write_file(sha256, path)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob, verified.

        Raises:
            Broken: it is missing or damaged.
            Unavailable: the store cannot be reached.
        """
        data = self._read(_checked(sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _damaged(sha256)
        return data

    def download(self, sha256: str, target: Path) -> None:
        """Write a blob to a new file, verified; `target` appears whole or not at all.

        Raises:
            Broken: it is missing or damaged.
        """
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        os.close(handle)
        part = Path(name)
        try:
            self._fetch(_checked(sha256), part)
            if hash_file(part) != sha256:
                raise _damaged(sha256)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def has(self, sha256: str) -> bool:
        """Whether the blob is there."""
        return self._size_or_none(_checked(sha256)) is not None

    def size(self, sha256: str) -> int:
        """Bytes of a blob.

        Raises:
            Broken: it is missing.
        """
        size = self._size_or_none(_checked(sha256))
        if size is None:
            raise _missing(sha256)
        return size

    def open_path(self, sha256: str) -> Path | None:
        """The blob's file when the store is a folder of this machine (read only!), else None."""
        return None

    @abstractmethod
    def health(self) -> PartHealth:
        """Whether blobs can be read and written, for /health."""

    @abstractmethod
    def _size_or_none(self, sha256: str) -> int | None: ...

    @abstractmethod
    def _write(self, sha256: str, data: bytes) -> None: ...

    @abstractmethod
    def _write_file(self, sha256: str, path: Path) -> None: ...

    @abstractmethod
    def _read(self, sha256: str) -> bytes: ...

    @abstractmethod
    def _fetch(self, sha256: str, target: Path) -> None: ...


class LocalStore(ObjectStore):
    """A folder. Written as temporary file, fsync, rename, fsync of the folder; blobs are 0400."""

    def __init__(self, root: Path) -> None:
        self.local_root = str(root)
        self._root = root

    def open_path(self, sha256: str) -> Path | None:
        """The blob's file; None when it is missing."""
        path = self._path(_checked(sha256))
        return path if path.exists() else None

    def health(self) -> PartHealth:
        """Whether the folder can be written and has room."""
        near = next(p for p in (self._root, *self._root.parents) if p.exists())
        if not os.access(near, os.W_OK):
            return PartHealth(name="store", state="failed", message=f"{near} cannot be written")
        free = shutil.disk_usage(near).free
        if free < 100 * BLOCK:
            message = f"only {free // BLOCK} MB left on the disk"
            return PartHealth(name="store", state="degraded", message=message)
        return PartHealth(name="store", state="ok")

    def _path(self, sha256: str) -> Path:
        return self._root / blob_key(sha256)

    def _size_or_none(self, sha256: str) -> int | None:
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def _write(self, sha256: str, data: bytes) -> None:
        with self._new(sha256) as part, part.open("wb") as out:
            out.write(data)
            _sync(out.fileno())

    def _write_file(self, sha256: str, path: Path) -> None:
        with self._new(sha256) as part, path.open("rb") as source, part.open("wb") as out:
            shutil.copyfileobj(source, out, BLOCK)
            _sync(out.fileno())

    @contextmanager
    def _new(self, sha256: str) -> Iterator[Path]:
        path = self._path(sha256)
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync(path.parent.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.chmod(0o400)
            part.replace(path)
            sync(path.parent)
        finally:
            part.unlink(missing_ok=True)

    def _read(self, sha256: str) -> bytes:
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise _missing(sha256) from None

    def _fetch(self, sha256: str, target: Path) -> None:
        try:
            shutil.copyfile(self._path(sha256), target)
        except FileNotFoundError:
            raise _missing(sha256) from None


class RemoteStore(ObjectStore):
    """Any fsspec file system whose uploads are atomic, such as S3.

    Never lists and never trusts a cached listing; a race of two writers writes equal bytes twice.
    Small blobs are written without asking first whether they are there, and held in memory.
    """

    def __init__(self, filesystem: Any, root: str) -> None:
        self._fs, self._root = filesystem, root.rstrip("/")
        self._recent = RecentBlobs()

    def put(self, data: bytes) -> str:
        """Keep a blob; returns its SHA-256 when it is durable."""
        if len(data) > SMALL_BYTES:
            return super().put(data)
        sha256 = hashlib.sha256(data).hexdigest()
        self._write(sha256, data)
        self._recent.keep(sha256, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob, verified when they were read."""
        if (held := self._recent.get(sha256)) is not None:
            return held
        data = super().get(sha256)
        self._recent.keep(sha256, data)
        return data

    def health(self) -> PartHealth:
        """Whether the bucket answers."""
        try:
            with reachable(self._root):
                found = self._fs.exists(self._root.split("/")[0])
        except DlsysError as error:
            return PartHealth(name="store", state="failed", message=error.detail)
        if not found:
            return PartHealth(name="store", state="failed", message=f"no bucket {self._root}")
        return PartHealth(name="store", state="ok")

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{blob_key(sha256)}"

    def _size_or_none(self, sha256: str) -> int | None:
        with reachable(self._root):
            try:
                return int(self._fs.info(self._path(sha256))["size"])
            except FileNotFoundError:
                return None

    def _write(self, sha256: str, data: bytes) -> None:
        with reachable(self._root):
            self._fs.pipe_file(self._path(sha256), data)

    def _write_file(self, sha256: str, path: Path) -> None:
        with reachable(self._root):
            self._fs.put_file(str(path), self._path(sha256))

    def _read(self, sha256: str) -> bytes:
        with reachable(self._root):
            try:
                # more than one connection for one blob would ask for its size first
                return bytes(self._fs.cat_file(self._path(sha256), max_concurrency=1))
            except FileNotFoundError:
                raise _missing(sha256) from None

    def _fetch(self, sha256: str, target: Path) -> None:
        with reachable(self._root):
            try:
                self._fs.get_file(self._path(sha256), str(target))
            except FileNotFoundError:
                raise _missing(sha256) from None


def open_store(url: str, s3_endpoint_url: str = "") -> ObjectStore:
    """The store at `file:///folder` or `s3://bucket/prefix` (keys as boto finds them).

    Raises:
        InvalidInput: no such kind of store.
    """
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return LocalStore(Path(unquote(parts.path)).absolute())
    if parts.scheme != "s3" or not parts.netloc:
        raise InvalidInput(
            f"'{url}' is not an object store that the platform knows.",
            hint="Set DLSYS_STORE_URL to file:///folder or s3://bucket/prefix.",
        )
    return RemoteStore(s3_filesystem(s3_endpoint_url), parts.netloc + unquote(parts.path))


def s3_filesystem(s3_endpoint_url: str = "") -> Any:
    """S3 as fsspec sees it, with keys as boto finds them; it caches no listing.

    Raises:
        Broken: the libraries for S3 are missing.
    """
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    options["config_kwargs"] = {"connect_timeout": 5, "read_timeout": 30}
    if s3_endpoint_url:
        options["endpoint_url"] = s3_endpoint_url
    try:
        return fsspec.filesystem("s3", **options)
    except ImportError as error:
        raise Broken(
            f"A library for S3 is missing: {error}.",
            code="s3-extra-missing",
            hint='Run `pip install "jupyter-dlsys[server,s3]"`.',
        ) from None


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise InvalidInput(
            f"'{sha256[:80]}' is not a SHA-256.", hint="64 hexadecimal digits in lower case."
        )
    return sha256


def hash_file(path: Path) -> str:
    """SHA-256 of the bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sync(handle: int) -> None:
    os.fsync(handle)


@contextmanager
def reachable(root: str, *passed: type[Exception]) -> Iterator[None]:
    """Turn whatever goes wrong with a store into Unavailable, but for errors that are `passed`."""
    try:
        yield
    except DlsysError:
        raise
    except Exception as error:
        if isinstance(error, passed):
            raise
        raise Unavailable(
            f"The object store {root} does not answer: {type(error).__name__}: {error}",
            code="store-unavailable",
            hint="Check DLSYS_STORE_URL, DLSYS_S3_ENDPOINT_URL and the keys of the store.",
            retry_after=5,
        ) from error


def _missing(sha256: str) -> Broken:
    return Broken(
        f"Object {sha256} is missing in the store.",
        code="object-missing",
        hint="Restore the object folder from a backup; nothing else can bring it back.",
    )


def _damaged(sha256: str) -> Broken:
    return Broken(
        f"Object {sha256} is damaged: its bytes do not have this hash.",
        code="object-damaged",
        hint="Restore this object from a backup, or commit the same data again.",
    )
