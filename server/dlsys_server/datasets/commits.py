"""Making a new version: read, check, write chunks and manifests, then one transaction.

Nothing is visible before the transaction; what a failed commit wrote is unreferenced. A commit that
lost the race for the head is rebased: chunks stay, only the manifest is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from dlsys_server.core.errors import Refused, TooLarge
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.datasets import CommitRequest, Format, Kind

from . import expressions, kinds, manifest, statistics
from .chunks import ChunkEntry
from .conform import MAX_PROBLEMS, Conformer
from .parquet import ChunkWriter, read_chunk
from .sources import Source, open_source
from .statistics import Profile
from .versions import State

MAX_LABELS = 10_000


@dataclass(frozen=True)
class Incoming:
    """An uploaded file."""

    path: Path
    filename: str
    format: Format | None


@dataclass(frozen=True)
class Limits:
    """Target size of a chunk, and what the files of a commit may unpack to."""

    chunk_bytes: int
    unpacked_bytes: int


@dataclass
class Rows:
    """Rows written as chunks, not yet part of any version."""

    schema: pa.Schema
    entries: list[ChunkEntry]
    profile: Profile


@dataclass
class Draft:
    """A version that is ready to be made visible; its new chunks with their sizes."""

    root: manifest.Root
    manifest: str
    statistics: str
    rows_added: int
    rows_removed: int
    new_chunks: dict[str, int] = field(default_factory=dict)


def read_files(
    store: ObjectStore, kind: Kind, known: pa.Schema | None, files: list[Incoming], limits: Limits
) -> Rows:
    """Check the files and write their rows as chunks.

    Raises:
        InvalidInput: a file is not of its format.
        Refused: rows do not fit the schema.
    """
    fixed = known if known is not None else pa.schema(list(kinds.NEEDED[kind].values()))
    sources = [
        open_source(f.path, f.filename, f.format, fixed, limits.unpacked_bytes) for f in files
    ]
    target = kinds.target_schema(kind, known, [(s.filename, s.schema()) for s in sources])
    roles = statistics.roles_of(kinds.columns_of(kind, target))
    writer = ChunkWriter(store, target, limits.chunk_bytes)
    rows = Rows(target, [], Profile())
    problems: list[FieldProblem] = []
    room = limits.unpacked_bytes
    for source in sources:
        room = _read_one(source, kind, roles, rows.profile, writer, problems, room)
    if problems:
        raise kinds.refusal(problems, kinds.NOTHING_CHANGED)
    if not rows.profile.rows:
        names = ", ".join(s.filename for s in sources)
        raise Refused(
            f"There are no rows in {names}.", code="no-rows", hint="Commit a file that has rows."
        )
    _check_labels(rows.profile, kind)
    rows.entries = writer.finish()
    return rows


def _read_one(
    source: Source,
    kind: Kind,
    roles: dict[str, str],
    profile: Profile,
    writer: ChunkWriter,
    problems: list[FieldProblem],
    room: int,
) -> int:
    is_image = kind == "image-classification"
    conformer = Conformer(writer.schema, source.filename, is_text=source.is_text, is_image=is_image)
    for raw in source.batches(writer.schema):
        batch = conformer.conform(raw)
        if conformer.is_full:
            break
        if conformer.problems or problems:
            continue
        room -= batch.nbytes
        if room < 0:
            raise TooLarge(
                f"{source.filename} unpacks to more than this platform takes in one commit.",
                code="unpacks-too-large",
                hint="Commit it in parts, or raise DLSYS_MAX_UPLOAD_BYTES.",
            )
        profile.add(batch, roles)
        writer.write(batch)
    found = sorted(conformer.problems, key=lambda p: p.row or 0)
    problems += found[: MAX_PROBLEMS - len(problems)]
    return room


def _check_labels(profile: Profile, kind: str) -> None:
    if kinds.is_classification(kind) and len(profile.label_counts()) > MAX_LABELS:
        raise Refused(
            f"The label column has more than {MAX_LABELS} different values.",
            code="too-many-labels",
            hint="Is it the right column? Data without classes fits the kinds tabular or generic.",
        )


def appended(store: ObjectStore, state: State, rows: Rows) -> Draft:
    """The head with these rows at the end."""
    profile = Profile()
    if state.version is not None:
        profile = statistics.load(store, state.version.statistics)
    return _with_rows(store, state, state.root, profile, rows, 0)


def replaced(store: ObjectStore, state: State, rows: Rows) -> Draft:
    """These rows and nothing else: schema and label ids start anew."""
    return _with_rows(store, state, manifest.Root(), Profile(), rows, state.root.rows)


def _with_rows(
    store: ObjectStore,
    state: State,
    base: manifest.Root,
    profile: Profile,
    rows: Rows,
    removed: int,
) -> Draft:
    entries = [replace(e, origin=state.number + 1) for e in rows.entries]
    columns = kinds.columns_of(state.dataset.kind, rows.schema)
    root = replace(base, columns=columns, arrow=kinds.pack_schema(rows.schema))
    root = replace(root, labels=merge_labels(base.labels, rows.profile, root))
    root = manifest.append(store, root, entries)
    profile = profile.merged(rows.profile, statistics.roles_of(columns))
    return _draft(store, root, profile, rows.profile.rows, removed, entries)


def deleted(store: ObjectStore, state: State, where: str, chunk_bytes: int) -> Draft:
    """The head without the rows that match. Chunks without such rows stay as they are.

    Raises:
        InvalidInput: the expression is not understood.
        Refused: no row matches.
    """
    schema = kinds.unpack_schema(state.root.arrow)
    keep = expressions.Filter(where, schema)
    roles = statistics.roles_of(state.root.columns)
    profile, removed = Profile(), 0
    entries: list[ChunkEntry] = []
    new: list[ChunkEntry] = []
    for _, entry in manifest.chunks(store, state.root):
        rests = [keep.without(batch) for batch in read_chunk(store, entry, schema)]
        for rest in rests:
            profile.add(rest, roles)
        kept = sum(rest.num_rows for rest in rests)
        if kept == entry.rows:
            entries.append(entry)
            continue
        removed += entry.rows - kept
        writer = ChunkWriter(store, schema, chunk_bytes, entry.origin)
        for rest in rests:
            writer.write(rest)
        written = writer.finish()
        entries += written
        new += written
    if not removed:
        raise Refused(
            f"No row matches {where}, so there is nothing to delete.",
            code="nothing-matches",
            hint="Look with `dlsys datasets head NAME --where EXPR` first.",
        )
    root = manifest.append(store, manifest.emptied(state.root), entries)
    return _draft(store, root, profile, 0, removed, new)


def merge_labels(known: list[str], profile: Profile, root: manifest.Root) -> list[str]:
    """Known labels keep their ids; new ones follow, sorted within the commit."""
    if not any(c.role == "label" for c in root.columns):
        return []
    have = set(known)
    return [*known, *sorted(label for label in profile.label_counts() if label not in have)]


def _draft(
    store: ObjectStore,
    root: manifest.Root,
    profile: Profile,
    added: int,
    removed: int,
    new: Iterable[ChunkEntry],
) -> Draft:
    return Draft(
        root=root,
        manifest=manifest.save(store, root),
        statistics=statistics.save(store, profile),
        rows_added=added,
        rows_removed=removed,
        new_chunks={e.sha256: e.bytes for e in new},
    )


class Drafter:
    """Makes drafts of one request on whatever head there is, reading the files once if possible."""

    def __init__(
        self,
        store: ObjectStore,
        body: CommitRequest,
        files: Callable[[], list[Incoming]],
        limits: Limits,
    ) -> None:
        self._store, self._body, self._files, self._limits = store, body, files, limits
        self._rows: Rows | None = None
        self._known: pa.Schema | None = None

    def on(self, state: State) -> Draft:
        """The draft on this state."""
        if self._body.operation == "delete":
            where = self._body.where or ""
            return deleted(self._store, state, where, self._limits.chunk_bytes)
        is_new = state.version is None or self._body.operation == "replace"
        known = None if is_new else kinds.unpack_schema(state.root.arrow)
        if self._rows is None or known != self._known:
            kind: Kind = state.dataset.kind  # type: ignore[assignment]
            self._rows = read_files(self._store, kind, known, self._files(), self._limits)
            self._known = known
        make = replaced if self._body.operation == "replace" else appended
        return make(self._store, state, self._rows)
