"""HTTP of the dataset room: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from dlsys_server.access.routing import Caller, IdempotencyKey, RoomRouter, service
from dlsys_server.api.paging import PagingQuery
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    Dataset,
    Diff,
    ExportFormat,
    Rows,
    Snapshot,
    SnapshotRequest,
    TagRequest,
    Version,
    VersionSummary,
)
from jupyter_dlsys.contract.policies import Policy, PolicyRequest
from jupyter_dlsys.contract.system import Upload

from .chunks import MEDIA, ChunkFile
from .policies import PolicyService
from .service import DatasetService
from .snapshots import SnapshotService
from .uploads import UploadService

router = RoomRouter(prefix="/projects/{project}", tags=["datasets"])
Datasets = Annotated[DatasetService, service("datasets")]
Snapshots = Annotated[SnapshotService, service("snapshots")]
Policies = Annotated[PolicyService, service("policies")]
Uploads = Annotated[UploadService, service("uploads")]
Where = Annotated[str | None, Query(max_length=4000)]
Columns = Annotated[list[str] | None, Query()]


@router.post("/uploads", status_code=201, operation_id="uploads.create")
def create_upload(project: str, caller: Caller, uploads: Uploads, filename: str = "data") -> Upload:
    """Begin an upload; send its bytes with PUT."""
    return uploads.create(caller, project, filename)


@router.put("/uploads/{upload}", operation_id="uploads.send")
async def send_upload(
    project: str, upload: str, offset: int, request: Request, caller: Caller, uploads: Uploads
) -> Upload:
    """Append the body at `offset`; 409 with the right offset when it is not the end so far."""
    return await uploads.receive(caller, project, upload, offset, request.stream())


@router.get("/uploads/{upload}", operation_id="uploads.show")
def show_upload(project: str, upload: str, caller: Caller, uploads: Uploads) -> Upload:
    """How far an upload got."""
    return uploads.show(caller, project, upload)


@router.delete("/uploads/{upload}", status_code=204, operation_id="uploads.remove")
def remove_upload(project: str, upload: str, caller: Caller, uploads: Uploads) -> None:
    """Give an upload up."""
    uploads.remove(caller, project, upload)


@router.get("/datasets", operation_id="datasets.list")
def list_datasets(
    project: str, caller: Caller, datasets: Datasets, paging: PagingQuery, shared: bool = False
) -> Page[Dataset]:
    """Datasets, most recently changed first; `shared`: of other projects, shared with the caller.

    They are then read in their own project's routes.
    """
    if shared:
        return datasets.shared(caller, project, paging)
    return datasets.list(caller, project, paging)


@router.post("/datasets", status_code=201, operation_id="datasets.create")
def create_dataset(
    project: str,
    body: CreateDataset,
    caller: Caller,
    datasets: Datasets,
    key: IdempotencyKey = None,
) -> Dataset:
    """Make an empty dataset."""
    return datasets.create(caller, project, body, key)


@router.get("/datasets/{name}", operation_id="datasets.show")
def show_dataset(project: str, name: str, caller: Caller, datasets: Datasets) -> Dataset:
    """One dataset."""
    return datasets.show(caller, project, name)


@router.delete("/datasets/{name}", status_code=204, operation_id="datasets.remove")
def remove_dataset(project: str, name: str, caller: Caller, datasets: Datasets) -> None:
    """Remove a dataset from the lists; snapshots and lineage that use it stay readable."""
    datasets.remove(caller, project, name)


@router.get("/datasets/{name}/commits", operation_id="datasets.history")
def list_versions(
    project: str, name: str, caller: Caller, datasets: Datasets, paging: PagingQuery
) -> Page[VersionSummary]:
    """Versions, newest first."""
    return datasets.history(caller, project, name, paging)


@router.post("/datasets/{name}/commits", status_code=201, operation_id="datasets.commit")
def commit(
    project: str,
    name: str,
    body: CommitRequest,
    caller: Caller,
    datasets: Datasets,
    key: IdempotencyKey = None,
) -> Version:
    """Append, replace or delete rows: a new version, or nothing."""
    return datasets.commit(caller, project, name, body, key)


@router.get("/datasets/{name}/commits/{ref}", operation_id="datasets.version")
def show_version(project: str, name: str, ref: str, caller: Caller, datasets: Datasets) -> Version:
    """One version: v3, a tag, sha256:… or latest."""
    return datasets.version(caller, project, name, ref)


@router.get("/datasets/{name}/rows", operation_id="datasets.rows")
def preview_rows(
    project: str,
    name: str,
    caller: Caller,
    datasets: Datasets,
    ref: str = "",
    where: Where = None,
    columns: Columns = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 20,
) -> Rows:
    """A window of rows as JSON."""
    return datasets.rows(caller, project, name, ref, where, columns, offset, limit)


@router.get(
    "/datasets/{name}/export",
    operation_id="datasets.export",
    response_class=StreamingResponse,
    responses={200: {"content": {media.partition(";")[0]: {} for media in MEDIA.values()}}},
)
def export(
    project: str,
    name: str,
    caller: Caller,
    datasets: Datasets,
    ref: str = "",
    where: Where = None,
    columns: Columns = None,
    format: ExportFormat = "arrow",
) -> StreamingResponse:
    """All rows of a version as one file: an Arrow IPC stream, Parquet, CSV or JSON Lines."""
    return _file(datasets.export(caller, project, name, ref, where, columns, format))


@router.get("/datasets/{name}/diff", operation_id="datasets.diff")
def diff(
    project: str, name: str, base: str, target: str, caller: Caller, datasets: Datasets
) -> Diff:
    """What changed from one version to another."""
    return datasets.diff(caller, project, name, base, target)


@router.put("/datasets/{name}/tags/{tag}", operation_id="datasets.tag")
def tag(
    project: str, name: str, tag: str, body: TagRequest, caller: Caller, datasets: Datasets
) -> Dataset:
    """Point a tag at a version; 409 when it points elsewhere and `move` is not set."""
    return datasets.tag(caller, project, name, tag, body)


@router.delete("/datasets/{name}/tags/{tag}", operation_id="datasets.untag")
def untag(project: str, name: str, tag: str, caller: Caller, datasets: Datasets) -> Dataset:
    """Remove a tag."""
    return datasets.untag(caller, project, name, tag)


@router.get("/datasets/{name}/policy", operation_id="datasets.policy")
def show_policy(project: str, name: str, caller: Caller, policies: Policies) -> Policy:
    """Who may see the dataset and what of it, and what that means for the caller."""
    return policies.show(caller, project, name)


@router.put("/datasets/{name}/policy", operation_id="datasets.set_policy")
def set_policy(
    project: str, name: str, body: PolicyRequest, caller: Caller, policies: Policies
) -> Policy:
    """Say who may see the dataset and what of it; its owner and maintainers may. Counts at once."""
    return policies.set(caller, project, name, body)


@router.post("/datasets/{name}/snapshots", status_code=201, operation_id="snapshots.create")
def create_snapshot(
    project: str, name: str, body: SnapshotRequest, caller: Caller, snapshots: Snapshots
) -> Snapshot:
    """Freeze rows for training; the same content gives the same snapshot."""
    return snapshots.create(caller, project, name, body)


@router.get("/datasets/{name}/snapshots", operation_id="snapshots.list")
def list_snapshots(
    project: str, name: str, caller: Caller, snapshots: Snapshots, paging: PagingQuery
) -> Page[Snapshot]:
    """Snapshots of a dataset, newest first."""
    return snapshots.list(caller, project, name, paging)


@router.get("/snapshots/{hash}", operation_id="snapshots.show")
def show_snapshot(project: str, hash: str, caller: Caller, snapshots: Snapshots) -> Snapshot:
    """One snapshot by its hash."""
    return snapshots.show(caller, project, hash)


@router.get(
    "/chunks/{sha256}",
    operation_id="snapshots.chunk",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA["parquet"]: {}}}},
)
def read_chunk(
    project: str, sha256: str, caller: Caller, snapshots: Snapshots
) -> StreamingResponse:
    """The bytes of one Parquet chunk that the caller may read."""
    return _file(snapshots.chunk(caller, project, sha256))


def _file(found: ChunkFile) -> StreamingResponse:
    headers: dict[str, Any] = {"Content-Disposition": f'attachment; filename="{found.filename}"'}
    if found.size is not None:
        headers["Content-Length"] = str(found.size)
    return StreamingResponse(found.blocks, media_type=found.media_type, headers=headers)
