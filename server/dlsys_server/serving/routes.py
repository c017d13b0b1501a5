"""HTTP of the serving room: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated

from dlsys_server.access.routing import Caller, IdempotencyKey, RoomRouter, service
from dlsys_server.api.paging import PagingQuery
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.deployments import (
    Deployment,
    DeployRequest,
    Prediction,
    PredictRequest,
)

from .service import ServingService

router = RoomRouter(prefix="/projects/{project}/deployments", tags=["deployments"])
Serving = Annotated[ServingService, service("serving")]


@router.get("", operation_id="deployments.list")
def list_deployments(
    project: str, caller: Caller, serving: Serving, paging: PagingQuery
) -> Page[Deployment]:
    """Endpoints by name."""
    return serving.page(project, paging)


@router.post("", status_code=201, operation_id="deployments.deploy")
def deploy(
    project: str, body: DeployRequest, caller: Caller, serving: Serving, key: IdempotencyKey = None
) -> Deployment:
    """Serve a model version, or move an endpoint of that name to it. Returns before it is ready."""
    return serving.deploy(caller, project, body, key)


@router.get("/{name}", operation_id="deployments.show")
def show(project: str, name: str, caller: Caller, serving: Serving) -> Deployment:
    """One endpoint with its live statistics."""
    return serving.show(project, name)


@router.post("/{name}/rollback", operation_id="deployments.rollback")
def rollback(project: str, name: str, caller: Caller, serving: Serving) -> Deployment:
    """Go back to the version served before."""
    return serving.rollback(caller, project, name)


@router.delete("/{name}", status_code=204, operation_id="deployments.undeploy")
def undeploy(project: str, name: str, caller: Caller, serving: Serving) -> None:
    """Stop serving and forget the endpoint and its tokens."""
    serving.undeploy(caller, project, name)


@router.post("/{name}/predict", operation_id="deployments.predict")
async def predict(
    project: str, name: str, body: PredictRequest, caller: Caller, serving: Serving
) -> Prediction:
    """Ask the endpoint through the platform, for people; programs call its own URL."""
    return await serving.predict(caller, project, name, body)
