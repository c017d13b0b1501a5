"""create_app(settings): the platform as one FastAPI application."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from dlsys_server.access.audit_routes import router as audit_router
from dlsys_server.access.principals import Principal
from dlsys_server.access.quota_routes import router as quota_router
from dlsys_server.access.routes import router as access_router
from dlsys_server.access.token_routes import router as tokens_router
from dlsys_server.api.bodies import BodyLimit
from dlsys_server.api.prefix import BelowPrefix
from dlsys_server.api.problems import document_problems, install_problem_handlers
from dlsys_server.api.request_ids import RequestIds
from dlsys_server.api.safety import SafeHeaders
from dlsys_server.api.sending_away import SendAway
from dlsys_server.api.streams import Written
from dlsys_server.core.errors import Conflict
from dlsys_server.core.settings import Settings
from dlsys_server.datasets.routes import router as datasets_router
from dlsys_server.metadata.mlflow.audited import AuditedMlflow
from dlsys_server.metadata.routes import router as metadata_router
from dlsys_server.serving.routes import router as serving_router
from dlsys_server.training.agent_routes import router as agents_router
from dlsys_server.training.routes import router as training_router
from dlsys_server.training.routes import workers as workers_router
from dlsys_server.workflows.routes import router as workflows_router
from jupyter_dlsys.contract.base import Problem

from .building import Handover, build
from .parts import Parts

PREFIX = "/api/v1"
DESCRIPTION = "Datasets, jobs, metadata and serving of a deep-learning system."
IDLE_LOOK_SECONDS = 5.0
CANCEL_SECONDS = 20.0
ROUTERS = (
    access_router,
    tokens_router,
    audit_router,
    quota_router,
    workers_router,
    datasets_router,
    training_router,
    agents_router,
    metadata_router,
    serving_router,
    workflows_router,
)


def create_app(
    settings: Settings,
    secret: str,
    *,
    url: Callable[[], str] = lambda: "",
    stop: Callable[[str], None] = lambda _reason: None,
    version: str = "0",
    handover: Handover | None = None,
) -> FastAPI:
    """Build everything once.

    Args:
        settings: where and how.
        secret: token of the OS user, new at each start.
        url: base URL on the TCP port, for jobs; known once the socket is bound.
        stop: ends the process; called with the reason.
        version: of this program.
        handover: from the main process, to one that only answers.
    """
    parts, used = build(settings, secret, url, version, handover), [time.monotonic()]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        watcher = asyncio.create_task(_stop_when_idle(parts, used, stop))
        yield
        app.state.stopping.set()
        watcher.cancel()
        await parts.stop()

    app = FastAPI(
        title="jupyter-dlsys",
        version=version,
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        # Its scripts come from elsewhere: behind a hub they would run where people are logged in.
        docs_url=f"{PREFIX}/docs" if settings.identity == "embedded" else None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be to whatever Host the caller names
        lifespan=lifespan,
        responses={"default": {"model": Problem, "description": "Problem details (RFC 9457)"}},
    )
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    _mount_mlflow(app, AuditedMlflow(parts.proxy, parts.audit))
    install_problem_handlers(app)
    document_problems(app)
    _add_layers(app, parts.settings.prefix, used)
    _publish(app, parts, stop)
    return app


def _add_layers(app: FastAPI, prefix: str, used: list[float]) -> None:
    """What every request passes, the last one first."""
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.add_middleware(RequestIds, on_request=lambda _path: used.__setitem__(0, time.monotonic()))
    if prefix:
        app.add_middleware(BelowPrefix, prefix=prefix)
    app.state.used, app.state.sends_away = used, False
    app.add_middleware(SendAway, away=lambda: app.state.sends_away)


def _mount_mlflow(app: FastAPI, mlflow: AuditedMlflow) -> None:
    # Starlette's own redirect from /mlflow to /mlflow/ is absolute, which breaks behind Jupyter.
    app.router.routes.append(Route("/mlflow", mlflow))
    app.mount("/mlflow", mlflow)


def _publish(app: FastAPI, parts: Parts, stop: Callable[[str], None]) -> None:
    """Hand the services to the routes."""
    for name in (
        "identity",
        "audit",
        "events",
        "projects",
        "tokens",
        "quotas",
        "uploads",
        "datasets",
        "snapshots",
        "policies",
        "names",
        "training",
        "agents",
        "schedules",
        "metadata",
        "lineage",
        "serving",
        "health",
        "forwarder",
    ):
        setattr(app.state, name, getattr(parts, name))
    app.state.parts, app.state.stopping = parts, threading.Event()
    app.state.written = Written()

    def request_stop(caller: Principal, jobs: str) -> None:
        active = parts.training.active()
        if active and jobs == "refuse":
            raise Conflict(
                f"{active} job{'s have' if active > 1 else ' has'} not ended.",
                code="jobs-running",
                hint="Wait for them, or ask again with jobs=keep or jobs=cancel.",
            )
        if jobs == "cancel":
            parts.training.cancel_all(caller)
            end = time.monotonic() + CANCEL_SECONDS
            while parts.training.active() and time.monotonic() < end:
                time.sleep(0.1)
        app.state.stopping.set()
        stop(f"asked by {caller.name}")

    app.state.request_stop = request_stop


async def _stop_when_idle(parts: Parts, used: list[float], stop: Callable[[str], None]) -> None:
    embedded = parts.settings.identity == "embedded" and parts.places.main
    limit = parts.settings.idle_seconds if embedded else 0
    while limit > 0:
        await asyncio.sleep(min(IDLE_LOOK_SECONDS, limit / 4))
        used[0] = max(used[0], parts.from_answerers.used)
        if parts.followers:
            used[0] = time.monotonic()
        if time.monotonic() - used[0] > limit and not await asyncio.to_thread(parts.busy):
            stop(f"unused for {limit:.0f} s")
            return
