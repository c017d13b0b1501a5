"""Files on their way to the platform, in pieces that can be sent again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_dlsys.client.errors import Conflict, NotConnected, PlatformFault
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.contract.system import Upload

PIECE_BYTES = 8 * 2**20
BYTES = "application/octet-stream"

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and in all."""


class Uploads(Resource):
    """Uploads of a project."""

    def create(self, filename: str = "data") -> Upload:
        """Begin an upload."""
        answer = self._connection.request(
            "POST", self._path("uploads"), params={"filename": filename}
        )
        return Upload.model_validate_json(answer.content)

    def send(self, upload: str, offset: int, data: bytes) -> Upload:
        """Append bytes at `offset`; the answer tells how far the upload got."""
        answer = self._connection.request(
            "PUT",
            self._path("uploads", upload),
            params={"offset": offset},
            content=data,
            content_type=BYTES,
        )
        return Upload.model_validate_json(answer.content)

    def show(self, upload: str) -> Upload:
        """How far an upload got."""
        return self._connection.get(Upload, self._path("uploads", upload))

    def remove(self, upload: str) -> None:
        """Give an upload up."""
        self._connection.json("DELETE", self._path("uploads", upload))

    def file(self, path: Path, progress: Progress | None = None) -> Upload:
        """Send a whole file; a broken line goes on where the platform says it stopped.

        Raises:
            PlatformFault: the platform does not take the bytes.
        """
        total = path.stat().st_size
        state = self.create(path.name)
        stuck = 0
        with path.open("rb") as source:
            while state.offset < total:
                source.seek(state.offset)
                after = self._piece(state, source.read(PIECE_BYTES))
                stuck = 0 if after.offset > state.offset else stuck + 1
                if stuck > 3:
                    raise PlatformFault(
                        f"The upload of {path.name} does not get beyond {state.offset} bytes.",
                        hint="`dlsys health` shows whether the platform can write.",
                    )
                state = after
                if progress:
                    progress(state.offset, total)
        return state

    def _piece(self, state: Upload, data: bytes) -> Upload:
        try:
            return self.send(state.id, state.offset, data)
        except (Conflict, NotConnected):
            return self.show(state.id)
