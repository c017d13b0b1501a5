"""Datasets: commits, versions, rows, tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.client.connection import Connection, new_key
from jupyter_dlsys.client.errors import ApiError, NotFound, UsageError
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Dataset, Diff, Rows, Version, VersionSummary
from jupyter_dlsys.client.sources import Source, guess_kind, sources
from jupyter_dlsys.client.uploads import Progress, Uploads
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.access import Role
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    ExportFormat,
    Kind,
    Operation,
    TagRequest,
    UploadedFile,
)
from jupyter_dlsys.contract.policies import (
    ColumnMask,
    Policy,
    PolicyRequest,
    RowFilter,
    Visibility,
)

if TYPE_CHECKING:
    import pyarrow as pa


class Datasets(Resource):
    """Datasets of a project; a name may tell another one: project/name."""

    def __init__(self, connection: Connection, uploads: Uploads) -> None:
        super().__init__(connection)
        self._uploads = uploads

    def list(self, limit: int | None = None, *, shared: bool = False) -> Listing[Dataset]:
        """Datasets, most recently changed first; `shared`: of other projects, shared with you."""
        query = {"shared": True} if shared else None
        return self._all(Dataset, self._path("datasets"), query, limit)

    def create(self, name: str, kind: Kind = "generic", description: str = "") -> Dataset:
        """Make an empty dataset."""
        body = checked(CreateDataset, name=name, kind=kind, description=description)
        return self._connection.send(Dataset, "POST", self._path("datasets"), body, key=new_key())

    def show(self, name: str) -> Dataset:
        """One dataset."""
        return self._connection.get(Dataset, self._dataset(name))

    def remove(self, name: str) -> None:
        """Remove a dataset from the lists; snapshots and lineage that use it stay readable."""
        self._connection.json("DELETE", self._dataset(name))

    def history(self, name: str, limit: int | None = None) -> Listing[VersionSummary]:
        """Versions, newest first."""
        return self._all(VersionSummary, self._dataset(name, "commits"), limit=limit)

    def version(self, name: str, ref: str = "latest") -> Version:
        """One version: v3, a tag, sha256:… or latest."""
        return self._connection.get(Version, self._dataset(name, "commits", ref))

    def commit(  # noqa: PLR0913  one door for all that a commit may say
        self,
        name: str,
        data: Any = None,
        *,
        message: str = "",
        tags: Mapping[str, str] | None = None,
        operation: Operation = "append",
        where: str | None = None,
        kind: Kind | None = None,
        create: bool = True,
        parent: int | None = None,
        progress: Progress | None = None,
    ) -> Version:
        """Append, replace or delete rows: a new version, or nothing.

        Args:
            name: the dataset.
            data: path or paths (CSV, JSON Lines, Parquet, Arrow, a folder with a folder of images
                for each label), a pandas, polars or Arrow table, a list of dicts.
            message: what this commit is about.
            tags: key=value tags of the commit; snapshots filter on them.
            operation: "append", "replace" or "delete".
            where: rows to delete, e.g. "label == 'spam'".
            kind: of a dataset that does not exist yet; guessed from the data when left out.
            create: make the dataset when it does not exist.
            parent: the version that this commit expects to be the newest.
            progress: called with bytes sent and bytes in all.

        Raises:
            Refused: a row does not fit the schema; nothing was committed.
            Conflict: `parent` is not the newest version any more.
            UsageError: `data` cannot be read on this side.
        """
        if operation != "delete" and data is None:
            raise UsageError("There is no data to commit.", hint="Give files or a table.")
        with sources(data) as found:
            made = create and self._create_missing(name, kind, found)
            try:
                said: dict[str, Any] = {"message": message, "operation": operation, "where": where}
                said |= {"tags": dict(tags or {}), "parent": parent}
                body = checked(CommitRequest, files=self._send(found, progress), **said)
                path = self._dataset(name, "commits")
                return self._connection.send(Version, "POST", path, body, key=new_key())
            except ApiError:
                if made:
                    self.remove(name)
                raise

    def policy(self, name: str) -> Policy:
        """Who may see a dataset and what of it, and what that means for you."""
        return self._connection.get(Policy, self._dataset(name, "policy"))

    def set_policy(
        self,
        name: str,
        *,
        visibility: Visibility = "project",
        groups: Sequence[str] = (),
        masks: Sequence[ColumnMask | Mapping[str, Any]] = (),
        filters: Sequence[RowFilter | Mapping[str, Any]] = (),
        export: Sequence[Role] | None = None,
    ) -> Policy:
        """Say who may see a dataset and what of it, instead of what was said before.

        Args:
            name: the dataset.
            visibility: "private", "project", "groups" or "organisation".
            groups: of the hub, with visibility "groups".
            masks: e.g. {"column": "email", "method": "hash", "roles": ["maintainer"]}.
            filters: e.g. {"roles": ["viewer"], "where": "age >= 18"}.
            export: roles that may export; None: all who may read; []: nobody.

        Raises:
            Forbidden: you are neither its owner nor a maintainer of the project.
        """
        body = checked(
            PolicyRequest,
            visibility=visibility,
            groups=list(groups),
            masks=list(masks),
            filters=list(filters),
            export=None if export is None else list(export),
        )
        return self._connection.send(Policy, "PUT", self._dataset(name, "policy"), body)

    def _create_missing(self, name: str, kind: Kind | None, found: Sequence[Source]) -> bool:
        try:
            self.show(name)
            return False
        except NotFound as error:
            if error.code == "no-such-project":
                raise
            self.create(name, kind or guess_kind(found))
            return True

    def _send(self, found: Sequence[Source], progress: Progress | None) -> Sequence[UploadedFile]:
        total = sum(source.path.stat().st_size for source in found)
        sent = 0

        def report(done: int, _: int) -> None:
            if progress:
                progress(sent + done, total)

        files = []
        for source in found:
            upload = self._uploads.file(source.path, report)
            sent += source.path.stat().st_size
            files.append(UploadedFile(upload=upload.id, format=source.format))
        return files

    def rows(
        self,
        name: str,
        ref: str = "",
        *,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Rows:
        """A window of rows; images as data URIs of thumbnails."""
        query = {"ref": ref, "where": where, "columns": columns, "offset": offset, "limit": limit}
        return self._connection.get(Rows, self._dataset(name, "rows"), query)

    def export(
        self,
        name: str,
        ref: str = "",
        *,
        to: str | Path | None = None,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        format: ExportFormat = "arrow",
    ) -> Path | pa.Table:
        """All rows of a version: a file at `to` in `format`, or an Arrow table without `to`."""
        query = {"ref": ref, "where": where, "columns": columns, "format": format}
        path = self._dataset(name, "export")
        if to is not None:
            return self._connection.download(path, Path(to), query)
        import pyarrow as pa

        answer = self._connection.request("GET", path, params={**query, "format": "arrow"})
        with pa.ipc.open_stream(pa.BufferReader(answer.content)) as reader:
            return reader.read_all()

    def diff(self, name: str, base: str, target: str = "latest") -> Diff:
        """What changed from one version to another."""
        query = {"base": base, "target": target}
        return self._connection.get(Diff, self._dataset(name, "diff"), query)

    def tag(self, name: str, tag: str, version: int, *, move: bool = False) -> Dataset:
        """Point a tag at a version.

        Raises:
            Conflict: it points at another version and `move` is not set.
        """
        body = checked(TagRequest, version=version, move=move)
        return self._connection.send(Dataset, "PUT", self._dataset(name, "tags", tag), body)

    def untag(self, name: str, tag: str) -> Dataset:
        """Remove a tag."""
        return self._connection.send(Dataset, "DELETE", self._dataset(name, "tags", tag))
