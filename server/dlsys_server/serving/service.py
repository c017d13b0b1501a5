"""Verbs of the serving room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import httpx
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from dlsys_server.access import tokens
from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
    Unavailable,
)
from dlsys_server.core.events import EventLog
from dlsys_server.core.places import Places
from dlsys_server.metadata.service import MetadataService
from jupyter_dlsys.contract.base import FieldProblem, Page
from jupyter_dlsys.contract.deployments import (
    Deployment,
    DeploymentStatistics,
    DeployRequest,
    GoldenReport,
    Prediction,
    PredictRequest,
)
from jupyter_dlsys.contract.quotas import QuotaKind

from .control import GatewayControl
from .golden import columns
from .rollout import GATEWAY, Rollouts
from .tables import DeploymentRow


class ServingService:
    """Deploy, look, predict, roll back."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        metadata: MetadataService,
        control: GatewayControl,
        rollouts: Rollouts,
        quotas: QuotaService,
        places: Places,
    ) -> None:
        self.places = places
        self.database, self.events, self.metadata = database, events, metadata
        self.control, self.rollouts, self.quotas = control, rollouts, quotas
        quotas.meters["endpoints"].append(_endpoints)
        self._http: httpx.AsyncClient | None = None

    def need_gateway(self) -> None:
        """Only the process that has the gateway can answer.

        Raises:
            Elsewhere: this is another one.
        """
        self.places.need_holder(GATEWAY)
        self.places.need_main()

    async def close(self) -> None:
        """Close the connections to the gateway."""
        if self._http is not None:
            await self._http.aclose()

    # -- verbs

    def deploy(
        self, caller: Principal, project: str, body: DeployRequest, key: str | None
    ) -> Deployment:
        """Serve a model version, or move an existing endpoint to it; returns before it is ready.

        Raises:
            NotFound: no such model, version or alias.
            Forbidden: a new endpoint would be one more than a quota allows.
        """
        self.places.need_holder(GATEWAY)
        asked = idempotency.fingerprint("deployments.deploy", project, body)
        model, _, ref = body.model.partition("@")
        version = self.metadata.model_version(project, model, ref).version
        name = body.name or _endpoint_name(model)
        with self.database.write() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Deployment.model_validate(first)
            row = session.get(DeploymentRow, (project, name))
            if row is None:
                row = self._new(session, caller, project, name)
            row.model, row.model_ref, row.target_version = model, body.model, version
            row.trust, row.max_batch, row.slo_ms = body.trust, body.max_batch, body.slo_ms
            row.message, row.updated_at = "", clock.now()
            row.state = "updating" if row.version else "starting"
            session.flush()
            self._tell(session, row, caller.name)
            answer = self._view(row, {})
            idempotency.remember(session, caller.name, key, asked, answer)
        self.rollouts.wake()
        return answer

    def _new(self, session: Session, caller: Principal, project: str, name: str) -> DeploymentRow:
        if session.scalar(select(DeploymentRow).where(DeploymentRow.name == name)):
            raise Conflict(
                f"The endpoint name '{name}' is taken.", hint="Choose another with --name."
            )
        self.quotas.check(session, caller.name, project, "endpoints", 1)
        row = DeploymentRow(
            project=project,
            name=name,
            owner=caller.name,
            model="",
            model_ref="",
            target_version=0,
            state="starting",
            trust="safe",
            max_batch=32,
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        session.add(row)
        return row

    def page(self, project: str, paging: Paging) -> Page[Deployment]:
        """Endpoints by name."""
        self.places.need_holder(GATEWAY)
        query = select(DeploymentRow).where(DeploymentRow.project == project)
        if paging.cursor:
            query = query.where(DeploymentRow.name > paging.cursor)
        with self.database.read() as session:
            rows = session.scalars(query.order_by(DeploymentRow.name).limit(paging.limit + 1)).all()
        more, rows = len(rows) > paging.limit, rows[: paging.limit]
        live = self.control.status().get("deployments", {}) if rows else {}
        return Page(
            items=[self._view(row, live) for row in rows],
            next_cursor=rows[-1].name if more else None,
        )

    def show(self, project: str, name: str) -> Deployment:
        """One endpoint with its live statistics."""
        self.places.need_holder(GATEWAY)
        with self.database.read() as session:
            row = _find(session, project, name)
        return self._view(row, self.control.status().get("deployments", {}))

    def rollback(self, caller: Principal, project: str, name: str) -> Deployment:
        """Go back to the version served before; stops following an alias."""
        self.places.need_holder(GATEWAY)
        with self.database.write() as session:
            row = _find(session, project, name)
            if row.previous_version is None:
                raise Conflict(
                    f"'{name}' has served only one version.",
                    hint=f"`dlsys deploy {row.model}@vN --name {name}` chooses another.",
                )
            row.target_version = row.previous_version
            row.model_ref = f"{row.model}@v{row.previous_version}"
            row.state, row.message, row.updated_at = "updating", "", clock.now()
            session.flush()
            self._tell(session, row, caller.name)
        self.rollouts.wake()
        return self.show(project, name)

    def undeploy(self, caller: Principal, project: str, name: str) -> None:
        """Stop serving; forget the endpoint and its tokens."""
        self.need_gateway()
        with self.database.write() as session:
            row = _find(session, project, name)
            row.state = "stopped"
            session.flush()
            self._tell(session, row, caller.name)
            session.execute(
                delete(DeploymentRow).where(
                    DeploymentRow.project == project, DeploymentRow.name == name
                )
            )
            tokens.revoke(session, project, f"deployment/{name}")
        self.rollouts.publish()
        if self.control.running():
            self.control.apply(timeout=10)

    def names_of(self, project: str, model: str) -> Sequence[str]:
        """Endpoints that serve a model."""
        with self.database.read() as session:
            return list(
                session.scalars(
                    select(DeploymentRow.name)
                    .where(DeploymentRow.project == project, DeploymentRow.model == model)
                    .order_by(DeploymentRow.name)
                )
            )

    def has(self, project: str, name: str) -> bool:
        """Whether there is such an endpoint."""
        with self.database.read() as session:
            return session.get(DeploymentRow, (project, name)) is not None

    def active(self) -> int:
        """Number of endpoints."""
        return len(self.rollouts.rows())

    # -- predict

    async def predict(
        self, caller: Principal, project: str, name: str, body: PredictRequest
    ) -> Prediction:
        """Ask the endpoint on behalf of a person.

        Raises:
            InvalidInput: the inputs do not fit the model; says which field.
            Unavailable: the endpoint is not ready.
        """
        if caller.deployment not in (None, name):
            raise Forbidden(f"This token is for the endpoint '{caller.deployment}'.")
        await asyncio.to_thread(self._known, project, name)
        started = time.perf_counter()
        answer = await self._ask(name, {"inputs": body.inputs})
        found = _body(answer)
        if answer.status_code == 200:
            return Prediction(
                outputs=columns(found.get("predictions", [])),
                model_version=str(answer.headers.get("x-dlsys-version", "")),
                request_id=str(answer.headers.get("x-request-id", "")),
                milliseconds=round((time.perf_counter() - started) * 1000, 2),
            )
        raise _refusal(name, answer.status_code, found)

    def _known(self, project: str, name: str) -> None:
        self.places.need_holder(GATEWAY)
        with self.database.read() as session:
            _find(session, project, name)

    async def _ask(self, name: str, body: dict[str, Any]) -> httpx.Response:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=65, trust_env=False)
        try:
            return await self._http.post(
                f"{self.control.url}/deployments/{name}/invocations",
                json=body,
                headers={"Authorization": f"Bearer {self.control.token}"},
            )
        except httpx.HTTPError:
            raise Unavailable(
                "The model gateway does not answer.",
                hint="It is started again by itself; try once more in a few seconds.",
                retry_after=2,
            ) from None

    # -- views

    def _tell(self, session: Session, row: DeploymentRow, actor: str) -> None:
        self.events.append(
            session,
            "deployment.changed",
            project=row.project,
            subject=f"deployment/{row.name}",
            actor=actor,
            payload={"name": row.name, "state": row.state, "target_version": row.target_version},
        )

    def _view(self, row: DeploymentRow, live: dict[str, Any]) -> Deployment:
        found = live.get(row.name) or {}
        state, message = row.state, row.message
        if state == "ready" and found.get("state") in ("degraded", "failed", "starting"):
            state, message = found["state"], str(found.get("message") or message)
        return Deployment(
            name=row.name,
            project=row.project,
            owner=row.owner,
            model=row.model_ref,
            version=row.version,
            target_version=row.target_version,
            previous_version=row.previous_version,
            state=state,
            message=message,
            trust=row.trust,
            url=f"{self.control.url}/v2/models/{row.name}",
            created_at=row.created_at,
            updated_at=row.updated_at,
            contract=row.contract,
            golden=GoldenReport.model_validate(row.golden) if row.golden else None,
            statistics=_statistics(found),
        )


def _endpoints(
    session: Session, kind: QuotaKind, names: Collection[str] | None = None
) -> Mapping[str, float]:
    """Endpoints by owner or project."""
    who = DeploymentRow.owner if kind == "user" else DeploymentRow.project
    query: Any = select(who, func.count()).group_by(who)
    if names is not None:
        query = query.where(who.in_(list(names)))
    return {name: float(count) for name, count in session.execute(query)}


def _find(session: Session, project: str, name: str) -> DeploymentRow:
    row = session.get(DeploymentRow, (project, name))
    if row is None:
        raise NotFound(
            f"There is no endpoint '{name}' in {project}.",
            hint="`dlsys endpoints list` shows them.",
        )
    return row


def _endpoint_name(model: str) -> str:
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in model.lower()).strip("-._")
    return name[:63] or "model"


def _statistics(live: dict[str, Any]) -> DeploymentStatistics:
    fields = DeploymentStatistics.model_fields
    return DeploymentStatistics.model_validate({k: v for k, v in live.items() if k in fields})


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refusal(name: str, status: int, found: dict[str, Any]) -> Exception:
    detail = str(found.get("detail") or found.get("error") or f"The endpoint answered {status}.")
    if status == 404:
        return NotFound(detail, hint="`dlsys endpoints list` shows the endpoints.")
    if status in (400, 413, 422):
        problem = FieldProblem(field=str(found.get("field") or ""), message=detail)
        hint = f"`dlsys endpoints show {name}` shows the inputs that the model takes."
        return InvalidInput(detail, hint=hint, errors=[problem])
    if status == 500:
        hint = "The model itself failed on this input; try another, and look at its training."
        return Refused(detail, code="model-failed", hint=hint)
    return Unavailable(detail, hint="Try again in a few seconds.", retry_after=2)
