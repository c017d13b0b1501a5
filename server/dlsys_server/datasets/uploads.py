"""Uploads: resumable files on their way in. All state is in the folder `uploads/`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlsys_server.access.principals import Principal
from dlsys_server.core import clock
from dlsys_server.core.errors import Conflict, NotFound, TooLarge
from dlsys_server.core.ids import new_id
from dlsys_server.core.peers import tag_of
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.system import Upload

KEEP_SECONDS = 7 * 24 * 3600
WRITE_BYTES = 1 << 20
ID_LENGTH = 26


@dataclass(frozen=True)
class Received:
    """A finished upload as a commit reads it."""

    path: Path
    filename: str


class UploadService:
    """Verbs on uploads. An upload is its sender's alone. `room` refuses who has none left."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        room: Callable[[str, str], None] = lambda _user, _project: None,
    ) -> None:
        self._settings, self._places, self._room = settings, places, room

    def create(self, caller: Principal, project: str, filename: str) -> Upload:
        """Begin an upload.

        Raises:
            Forbidden: nothing is left of the quota of the caller or the project.
        """
        self._room(caller.name, project)
        self._sweep()
        folder, upload = self._settings.folder("uploads"), new_id()
        if self._places.peers.many:
            upload += tag_of(self._places.worker)  # where it lies
        found = {
            "filename": Path(filename).name[:200] or "data",
            "project": project,
            "owner": caller.name,
            "created_at": clock.now().isoformat(),
        }
        (folder / upload).touch(0o600)
        part = folder / f"{upload}.part"
        part.write_text(json.dumps(found), "utf-8")
        part.replace(folder / f"{upload}.json")
        return self.show(caller, project, upload)

    def show(self, caller: Principal, project: str, upload: str) -> Upload:
        """How far it got.

        Raises:
            NotFound: no such upload of this caller.
        """
        path, found = self._find(caller, project, upload)
        return Upload(
            id=upload,
            filename=found["filename"],
            offset=path.stat().st_size,
            created_at=found["created_at"],
        )

    async def receive(
        self,
        caller: Principal,
        project: str,
        upload: str,
        offset: int,
        stream: AsyncIterator[bytes],
    ) -> Upload:
        """Append the stream's bytes at `offset`; what arrived before it broke off stays.

        Raises:
            Conflict: the upload does not end at `offset`, or somebody else is sending to it.
            TooLarge: it grows over the platform's limit.
        """
        path, _ = await asyncio.to_thread(self._find, caller, project, upload)
        with path.open("ab") as out, _alone(out.fileno()):
            size = os.fstat(out.fileno()).st_size
            if offset != size:
                raise Conflict(
                    f"The upload is {size} bytes long, not {offset}.",
                    code="wrong-offset",
                    hint=f"Go on sending at offset {size}.",
                )
            waiting: list[bytes] = []
            try:
                async for block in stream:
                    waiting.append(block)
                    size += len(block)
                    self._check(size)
                    if sum(map(len, waiting)) >= WRITE_BYTES:
                        await asyncio.to_thread(out.write, b"".join(waiting))
                        waiting = []
            finally:
                out.write(b"".join(waiting) if size <= self._settings.max_upload_bytes else b"")
                out.flush()
            await asyncio.to_thread(os.fsync, out.fileno())
        return self.show(caller, project, upload)

    def remove(self, caller: Principal, project: str, upload: str) -> None:
        """Forget an upload."""
        path, _ = self._find(caller, project, upload)
        self._drop(path)

    def open(self, caller: Principal, project: str, upload: str) -> Received:
        """A finished upload, to be read.

        Raises:
            NotFound: no such upload of this caller.
        """
        path, found = self._find(caller, project, upload)
        return Received(path, found["filename"])

    def discard(self, upload: str) -> None:
        """Remove an upload whose rows are committed."""
        self._drop(self._settings.folder("uploads") / upload)

    def _find(self, caller: Principal, project: str, upload: str) -> tuple[Path, dict[str, str]]:
        path = self._settings.folder("uploads") / upload
        if upload.isalnum() and path.exists():
            with contextlib.suppress(FileNotFoundError):
                found: dict[str, str] = json.loads(path.with_suffix(".json").read_text("utf-8"))
                if (found["project"], found["owner"]) == (project, caller.name):
                    return path, found
        if upload[ID_LENGTH:] != tag_of(self._places.worker):
            self._places.need_tagged(upload[ID_LENGTH:])
        raise NotFound(
            f"There is no upload '{upload[:40]}'.",
            code="no-such-upload",
            hint="Begin one with POST …/uploads; a committed upload is gone.",
        )

    def _check(self, size: int) -> None:
        limit = self._settings.max_upload_bytes
        if size > limit:
            raise TooLarge(
                f"The file is larger than {limit} bytes, the most this platform takes.",
                hint="Commit it in parts, or raise DLSYS_MAX_UPLOAD_BYTES.",
            )

    def _drop(self, path: Path) -> None:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        old = time.time() - KEEP_SECONDS
        for path in self._settings.folder("uploads").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < old:
                    path.unlink()


@contextlib.contextmanager
def _alone(handle: int) -> Iterator[None]:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            "Somebody is sending to this upload right now.",
            code="upload-busy",
            hint="Wait for the other request to end, then ask for the offset.",
        ) from None
    yield
