"""Turns what passes through the MLflow proxy into rows, lineage and events, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog

from .lineage import LineageService
from .mlflow.client import MlflowClient
from .mlflow.taps import (
    AliasChanged,
    MetricPoint,
    ModelVersionCreated,
    RunChanged,
    facts_of,
    tells,
)
from .series import finite, write_points
from .tables import ModelVersionRow, RunRow

Json = dict[str, Any]
AliasListener = Callable[[str, str, str], None]


class Recorder:
    """A `Tap` of the MLflow proxy. Also called by our own verbs that change the registry."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        lineage: LineageService,
        client: MlflowClient,
    ) -> None:
        self.database, self.events = database, events
        self.lineage, self.client = lineage, client
        self.alias_listeners: list[AliasListener] = []
        self._methods = ("POST", "PUT", "PATCH", "DELETE")

    def matches(self, method: str, call: str) -> bool:
        """Only calls that tell something."""
        return tells(method, call)

    async def observed(
        self, principal: Principal, project: str, call: str, request: Json, response: Json
    ) -> None:
        """Record the facts of one call."""
        facts = [f for m in self._methods for f in facts_of(m, call, request, response)]
        points = [f for f in facts if isinstance(f, MetricPoint)]
        if points:
            await asyncio.to_thread(self.metrics, principal.name, project, points)
        for fact in facts:
            if isinstance(fact, RunChanged) and fact.kind == "created":
                await asyncio.to_thread(self.run_created, principal, project, fact)
            elif isinstance(fact, ModelVersionCreated):
                run_id = fact.run_id or await self._source_run(project, fact.model_id)
                await asyncio.to_thread(self.registered, principal.name, project, fact, run_id)
            elif isinstance(fact, AliasChanged):
                version = int(fact.version) if fact.version else None
                await asyncio.to_thread(
                    self.alias_changed, principal.name, project, fact.name, fact.alias, version
                )

    async def _source_run(self, project: str, model_id: str | None) -> str | None:
        if model_id is None:
            return None
        model = await self.client.get_logged_model(project, model_id)
        return model["info"].get("source_run_id") or None

    # -- facts

    def metrics(self, actor: str, project: str, points: list[MetricPoint]) -> None:
        """Points into the table, and live to whoever watches."""
        with self.database.write() as session:
            for run_id in {p.run_id for p in points}:
                run = self.known_run(session, project, run_id, actor)
                mine = [p for p in points if p.run_id == run_id]
                write_points(session, run, mine)
                topic, subject = ("job", run.job_id) if run.job_id else ("run", run_id)
                for point in mine:
                    payload = {
                        "key": point.key,
                        "step": point.step,
                        "value": finite(point.value),
                        "at": point.timestamp_ms / 1000,
                        "run_id": run_id,
                    }
                    self.events.append(
                        session,
                        f"{topic}.metric",
                        project=project,
                        subject=f"{topic}/{subject}",
                        actor=actor,
                        payload=payload,
                    )

    def known_run(self, session: Session, project: str, run_id: str, actor: str) -> RunRow:
        """The row of a run, made when it is new to us."""
        row = session.scalar(select(RunRow).where(RunRow.run_id == run_id))
        if row is None:
            row = RunRow(run_id=run_id, project=project, owner=actor, created_at=clock.now())
            session.add(row)
            session.flush()
        return row

    def run_created(self, principal: Principal, project: str, fact: RunChanged) -> None:
        """A run that somebody made with plain MLflow."""
        with self.database.write() as session:
            row = self.known_run(session, project, fact.run_id, principal.name)
            row.job_id = row.job_id or principal.job_id
            self.lineage.record(
                session,
                project=project,
                type="run",
                name=fact.run_id,
                actor=principal.name,
                properties={"title": fact.name},
            )

    def registered(
        self, actor: str, project: str, fact: ModelVersionCreated, run_id: str | None
    ) -> None:
        """A new model version: its row, its place in the lineage, its event."""
        version = int(fact.version)
        with self.database.write() as session:
            if session.get(ModelVersionRow, (project, fact.name, version)) is not None:
                return
            run = self.known_run(session, project, run_id, actor) if run_id else None
            job_id = run.job_id if run else None
            session.add(
                ModelVersionRow(
                    project=project,
                    model=fact.name,
                    version=version,
                    run_id=run_id,
                    job_id=job_id,
                    created_at=clock.now(),
                )
            )
            self._link_version(session, actor, project, fact.name, version, run_id)
            self.events.append(
                session,
                "model.registered",
                project=project,
                subject=f"model/{fact.name}",
                actor=actor,
                payload={"model": fact.name, "version": version, "run_id": run_id, "job": job_id},
            )

    def _link_version(
        self, session: Session, actor: str, project: str, name: str, version: int, run: str | None
    ) -> None:
        node = self.lineage.record(
            session,
            project=project,
            type="model_version",
            name=name,
            version=f"v{version}",
            actor=actor,
        )
        if run is not None:
            source = self.lineage.record(
                session, project=project, type="run", name=run, actor=actor
            )
            self.lineage.link(session, source, node, "registered_as")

    def alias_changed(
        self, actor: str, project: str, name: str, alias: str, version: int | None
    ) -> None:
        """An alias names another version: tell watchers and deployments that follow it."""
        with self.database.write() as session:
            self.events.append(
                session,
                "model.alias",
                project=project,
                subject=f"model/{name}",
                actor=actor,
                payload={"model": name, "alias": alias, "version": version},
            )
        for listener in self.alias_listeners:
            listener(project, name, alias)
