"""Brings endpoints to the version they should serve: download, warm, replay golden examples, flip.

One thread. Everything can be repeated: the row says what is wanted, the gateway what is.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError, NotFound
from dlsys_server.core.events import EventLog
from dlsys_server.core.holding import Holding
from dlsys_server.core.leases import Lease
from dlsys_server.core.loops import Loop
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.metadata.service import MetadataService
from jupyter_dlsys.contract.deployments import GoldenReport

from . import golden
from .control import GatewayControl
from .keys import Keys
from .tables import DeploymentRow

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
RESOLVE_SECONDS = 60.0
GATEWAY = "gateway"
"""The lease of the platform that has the gateway."""


class Rollouts(Loop):
    """Follows aliases and rolls versions out; when it stops, endpoints go on."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        metadata: MetadataService,
        lineage: LineageService,
        control: GatewayControl,
        models: Path,
        keys: Keys,
        lease: Lease | None = None,
    ) -> None:
        super().__init__("rollouts", pause=LOOK_SECONDS, patience=10)
        self.database, self.events = database, events
        self.metadata, self.lineage = metadata, lineage
        self.control, self.models, self.keys = control, models, keys
        self._resolved_at = -RESOLVE_SECONDS
        self._published = False
        self._writing = threading.Lock()
        self.holding = Holding(lease, self.nudge) if lease is not None else None

    def nudge(self) -> None:
        """Something may have changed: look now."""
        self._resolved_at = -RESOLVE_SECONDS
        super().nudge()

    def step(self, woken: bool) -> float:
        """Write the routes as they are, at first; then follow changes. One platform does it."""
        if self.holding is not None and not self.holding.held:
            self.error = ""
            if self.holding.lost:
                self._leave()
            return LOOK_SECONDS
        if not self._published and self.rows():
            self.publish()
        self._published = True
        self.error = self.look()
        self._keep_keys()
        return LOOK_SECONDS

    def spread(self) -> None:
        """Tell the gateway now who may call what."""
        self.publish()
        if self.control.running():
            self.control.apply(timeout=2)

    def _keep_keys(self) -> None:
        """Owners come and go, other processes make and revoke: the gateway hears of it here."""
        if not self.control.running():
            return
        self.keys.used(self.control.used())
        told = self.control.tokens()
        if self.keys.current(told) != told:
            self.spread()

    def _leave(self) -> None:
        """Another platform has the gateway: end the one of the time before."""
        self._published = False
        if self.control.running():
            self.control.stop()

    def start(self) -> None:
        """Begin, as soon as the gateway is this platform's."""
        if self.holding is not None:
            self.holding.start()
        super().start()

    def stop(self) -> None:
        """End the loop, and let another platform have the gateway."""
        super().stop()
        if self.holding is not None:
            self.holding.stop()

    def rows(self) -> list[DeploymentRow]:
        """All endpoints."""
        with self.database.read() as session:
            return list(session.scalars(select(DeploymentRow).order_by(DeploymentRow.name)))

    def look(self) -> str:
        """Re-resolve what follows an alias; roll out what is not served yet. What went wrong."""
        rows = self.rows()
        if rows and not self.control.running():
            self.publish()
        resolve = time.monotonic() - self._resolved_at >= RESOLVE_SECONDS and self.metadata.ready()
        if resolve:
            self._resolved_at = time.monotonic()
        troubles = []
        for row in rows:
            try:
                self._converge(row, resolve)
            except Exception as error:  # one endpoint's trouble is not the others'
                troubles.append(f"endpoint {row.name}: {error}")
                log.exception("endpoint cannot be rolled out", extra={"deployment": row.name})
        return "; ".join(troubles)

    def _converge(self, row: DeploymentRow, resolve: bool) -> None:
        if resolve:
            self._follow(row)
        self._heal(row)
        if row.state in ("starting", "updating"):
            self._roll_out(row)

    def _heal(self, row: DeploymentRow) -> None:
        """A model folder that was lost (a restore, another machine) is fetched again."""
        if row.version is None or self._folder(row, row.version).is_dir():
            return
        if self.metadata.ready():
            self._fetch(row, row.version)
            self.publish()
            self.control.apply(timeout=5, retry=row.name)

    def _follow(self, row: DeploymentRow) -> None:
        name, _, ref = row.model_ref.partition("@")
        try:
            version = self.metadata.model_version(row.project, name, ref).version
        except NotFound:
            return
        if version != row.target_version:
            row.target_version = version
            row.state = "updating" if row.version else "starting"
            self.change(row, target_version=version, state=row.state, message="")

    def _roll_out(self, row: DeploymentRow) -> None:
        try:
            folder = self._fetch(row, row.target_version)
            self.publish(warming=row)
            applied = self.control.apply(retry=row.name)
            contract = self._warm_contract(row, applied)
            report = self._replay(row, folder, contract)
        except DlsysError as error:
            self._give_up(row, error)
            return
        except (KeyError, TypeError, ValueError, OSError) as error:
            log.exception("rollout failed", extra={"deployment": row.name})
            self._give_up(row, DlsysError(f"its files cannot be read: {error!r}"))
            return
        self._flip(row, contract, report)

    def _folder(self, row: DeploymentRow, version: int) -> Path:
        return self.models / row.project / row.model / str(version)

    def _fetch(self, row: DeploymentRow, version: int) -> Path:
        folder = self._folder(row, version)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.metadata.download(row.project, row.model, version, folder)

    def _warm_contract(self, row: DeploymentRow, applied: dict[str, Any]) -> dict[str, Any]:
        state = applied["deployments"].get(row.name) or {}
        target = str(row.target_version)
        for warm in state.get("warming", []):
            if warm["version"] == target and warm["state"] == "ready":
                return dict(warm["contract"] or {})
        if state.get("version") == target:
            return dict(state.get("contract") or {})
        reasons = [w["message"] for w in state.get("warming", []) if w["version"] == target]
        raise DlsysError(
            applied["failed"].get(row.name) or "; ".join(reasons) or "the model does not start"
        )

    def _replay(
        self, row: DeploymentRow, folder: Path, contract: dict[str, Any]
    ) -> GoldenReport | None:
        examples = golden.load(folder, contract)
        if examples is None:
            return None

        def predict(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
            answer = self.control.replay(row.name, str(row.target_version), inputs)
            outputs: dict[str, list[Any]] = answer["outputs"]
            return outputs

        report = golden.replay(examples, predict)
        if report.matched < report.examples:
            raise DlsysError(
                f"version {row.target_version} answers {report.examples - report.matched} of "
                f"{report.examples} golden examples differently from its training"
            )
        return report

    def _flip(
        self, row: DeploymentRow, contract: dict[str, Any], report: GoldenReport | None
    ) -> None:
        with self.database.write() as session:
            found = session.get(DeploymentRow, (row.project, row.name), with_for_update=True)
            if found is None or found.target_version != row.target_version:
                super().nudge()
                return
            if found.version != found.target_version:
                found.previous_version, found.version = found.version, found.target_version
            found.state, found.message = "ready", ""
            found.contract = contract
            found.golden = report.model_dump() if report else None
            found.updated_at = clock.now()
            session.flush()
            self._record(session, found)
        self.publish()
        self.control.apply()

    def _record(self, session: Session, row: DeploymentRow) -> None:
        def node(type: Any, name: str, version: str = "") -> int:
            return self.lineage.record(
                session, project=row.project, type=type, name=name, version=version, actor=row.owner
            )

        source = node("model_version", row.model, f"v{row.version}")
        self.lineage.link(session, source, node("deployment", row.name), "deployed_as")
        self._tell(session, row)

    def _give_up(self, row: DeploymentRow, error: DlsysError) -> None:
        if error.status == 503:
            if row.message != error.detail:
                self.change(row, message=error.detail)
            return
        serving = f" Version {row.version} goes on answering." if row.version else ""
        message = f"{error.detail[:1].upper()}{error.detail[1:]}.{serving}".replace("..", ".")
        state = "degraded" if row.version else "failed"
        self.change(row, state=state, message=message)
        self.publish()
        self.control.apply(timeout=5)

    def change(self, row: DeploymentRow, **values: Any) -> None:
        """Change a row and tell of it."""
        with self.database.write() as session:
            session.execute(
                update(DeploymentRow)
                .where(DeploymentRow.project == row.project, DeploymentRow.name == row.name)
                .values(updated_at=clock.now(), **values)
            )
            found = session.get(DeploymentRow, (row.project, row.name), populate_existing=True)
            if found is not None:
                self._tell(session, found)

    def _tell(self, session: Session, row: DeploymentRow) -> None:
        self.events.append(
            session,
            "deployment.changed",
            project=row.project,
            subject=f"deployment/{row.name}",
            actor=row.owner,
            payload={
                "name": row.name,
                "state": row.state,
                "version": row.version,
                "target_version": row.target_version,
                "message": row.message,
            },
        )

    def publish(self, warming: DeploymentRow | None = None) -> None:
        """Write the gateway's routes from the rows; `warming` is warmed without answering."""
        with self._writing:  # what was read earlier must not be written later
            deployments = self._publish(warming)
        if deployments:
            self.control.ensure()

    def _publish(self, warming: DeploymentRow | None) -> dict[str, Any]:
        deployments: dict[str, Any] = {}
        for row in self.rows():
            versions = {
                str(v): self._version(row, v) for v in (row.version, row.previous_version) if v
            }
            active = row.version
            if warming is not None and warming.name == row.name:
                target = warming.target_version
                hold = target != row.version
                versions[str(target)] = {**self._version(row, target), "hold": hold}
                active = active or target
            if active:
                deployments[row.name] = {
                    "project": row.project,
                    "active": str(active),
                    "previous": str(row.previous_version) if row.previous_version else None,
                    "versions": versions,
                }
        self.control.write_routes(deployments, self.keys.current(self.control.tokens()))
        return deployments

    def _version(self, row: DeploymentRow, version: int) -> dict[str, Any]:
        return {
            "path": str(self._folder(row, version)),
            "trust": row.trust,
            "max_batch": row.max_batch,
            "slo_ms": row.slo_ms,
        }
