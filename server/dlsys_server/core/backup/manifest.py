"""The table of contents of a backup: `manifest.json`, written last and at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dlsys_server.core.disk import sync
from dlsys_server.core.errors import Refused
from jupyter_dlsys.contract.references import blob_key

NAME = "manifest.json"
FORMAT = "jupyter-dlsys backup"
FORMAT_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file: its bytes, and what its place said of its age."""

    bytes: int
    sha256: str
    stamp: str = ""


@dataclass
class Manifest:
    """What a backup consists of."""

    version: str
    """Of the program that made it."""
    mlflow: str
    """Version of MLflow that wrote its database."""
    schema: str
    """Revision of the platform's database."""
    dialect: str
    """sqlite or postgresql."""
    began: str
    ended: str = ""
    databases: dict[str, Entry] = field(default_factory=dict)
    """By name: a file each; `place` has where it lies."""
    place: str = ""
    """Folder of the databases below the backup."""
    objects: dict[str, int] = field(default_factory=dict)
    """Bytes of each blob of the store, by SHA-256."""
    artifacts: dict[str, Entry] = field(default_factory=dict)
    """MLflow's files, by their path in the store."""
    damaged: list[str] = field(default_factory=list)
    """Blobs that were damaged or missing in the store already."""

    def files(self) -> dict[str, Entry]:
        """Every file of the backup, by its path in it."""
        found = {f"{self.place}/{name}": entry for name, entry in self.databases.items()}
        for entry in self.artifacts.values():
            found[blob_key(entry.sha256)] = entry
        for sha256, size in self.objects.items():
            found[blob_key(sha256)] = Entry(size, sha256)
        return found

    def bytes(self) -> int:
        """Of all files."""
        return sum(entry.bytes for entry in self.files().values())


def write(folder: Path, manifest: Manifest) -> str:
    """Put the manifest in its place; from then on the backup is one. Returns its SHA-256."""
    body = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(manifest)}
    digest = _digest(body)
    part = folder / f".{NAME}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump({"sha256": digest, **body}, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    part.replace(folder / NAME)
    sync(folder)
    return digest


def read(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a backup, and its SHA-256.

    Raises:
        Refused: there is no whole backup in the folder, or a newer program made it.
    """
    try:
        text = (folder / NAME).read_text("utf-8")
    except FileNotFoundError:
        raise Refused(
            f"{folder} is not a backup: it has no {NAME}, which is written last.",
            code="not-a-backup",
            hint="Was the backup broken off? Make it again, or take another one.",
        ) from None
    except UnicodeDecodeError:
        raise damaged(f"{NAME} of {folder} is damaged.") from None
    try:
        body = json.loads(text)
        digest = str(body.pop("sha256"))
        newer = body["format"] == FORMAT and body["format_version"] > FORMAT_VERSION
        found = None if newer else _parsed(body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged(f"{NAME} of {folder} is damaged.") from None
    if found is None:
        raise Refused(
            f"{folder} was made by version {str(body.get('version'))[:40]}, which is newer.",
            code="backup-of-newer-version",
            hint="Restore it with that version of jupyter-dlsys.",
        )
    if digest != _digest(body):
        raise damaged(f"{NAME} of {folder} is damaged.")
    return found, digest


def damaged(detail: str) -> Refused:
    """The error for a backup that cannot be trusted."""
    return Refused(
        detail,
        code="backup-damaged",
        hint="Nothing was changed. Take another backup, or copy the damaged file anew.",
    )


def _parsed(body: dict[str, Any]) -> Manifest:
    values = {k: v for k, v in body.items() if k not in ("format", "format_version")}
    for section in ("databases", "artifacts"):
        values[section] = {str(k): Entry(**v) for k, v in values[section].items()}
    found = Manifest(**values)
    names = [*found.objects, *(e.sha256 for e in found.artifacts.values())]
    if not all(_SHA256.fullmatch(name) for name in names):
        raise ValueError("a name is no SHA-256")
    if not all(map(_inside, (*found.artifacts, *found.databases, found.place))):
        raise ValueError("a path leads out of the backup")
    return found


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
