"""Keyed hashes, so that nobody can guess at what a hash stands for."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from dlsys_server.core.keys import KeyFile

from .viewing import View


class DataKey(KeyFile):
    """The key: as given, else file `data.key` (0600) of the folder, made when first used.

    Raises:
        Broken: the given key is too short to be one.
    """

    def __init__(self, folder: Path, given: str = "") -> None:
        lost = "with another key, masked values get other hashes."
        path = folder / "data.key"
        super().__init__(path, given, "DLSYS_DATA_KEY", code="bad-data-key", lost=lost)


class Sealer:
    """Keyed hashes: of masked values, and of what a view shows, so that no hash can be guessed at.

    Args:
        key: of this platform.
    """

    def __init__(self, key: KeyFile) -> None:
        self._key = key

    def of_values(self, project: str) -> bytes:
        """The key for values: one for each project, so that its datasets can be joined."""
        return hmac.digest(self._key.value, f"values\0{project}".encode(), "sha256")

    def of_view(self, view: View) -> str:
        """Identity of what a view hides; '' when that is nothing."""
        if view.whole:
            return ""
        text = json.dumps([view.project, view.spec()], sort_keys=True)
        return self._seal("view", text)

    def of_version(self, view: View, manifest: str) -> str:
        """The content hash of a version as a view shows it."""
        return manifest if view.whole else self._seal("version", manifest + self.of_view(view))

    def _seal(self, kind: str, text: str) -> str:
        return hmac.new(self._key.value, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()
