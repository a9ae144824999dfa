"""The server of the data engine: REST, live connections and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from .. import __version__
from . import (
    live,
    routes_accounts,
    routes_health,
    routes_jobs,
    routes_objects,
    routes_projects,
    routes_statistics,
    routes_tasks,
    routes_videos,
)
from .accounts import local_user
from .body_limits import BodyLimit
from .database import Database
from .headers import SecurityHeaders
from .health import HealthCheck
from .job_runner import JobRunner
from .metrics import Metrics, TimedRequests
from .model_pool import ModelPool
from .open_packs import OpenPacks
from .origins import SameOrigin
from .page import Page
from .problems import add_handlers
from .rate_limits import RateLimit
from .server_settings import ServerSettings
from .serving import Serving
from .session_requests import Pool
from .sign_in_cookie import SignInCookie
from .workspace import Workspace

_ROUTES = (
    routes_health,
    routes_accounts,
    routes_projects,
    routes_videos,
    routes_tasks,
    routes_objects,
    routes_statistics,
    routes_jobs,
    live,
)
_BURST = 4
_THIS_MACHINE = "127.0.0.1", "::1"


def create_app(settings: ServerSettings, pool: Pool | None = None) -> FastAPI:
    """The application; what it needs starts and stops with it (its lifespan).

    Args:
        settings: What the server is told.
        pool: The model workers; None: as the settings say.

    Raises:
        ValueError: The database's address is none.
        OSError: The workspace cannot be made.
    """
    serving = _serving(settings, pool)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(serving.database.upgrade)
        await run_in_threadpool(serving.database.run, local_user)
        await serving.pool.start()
        serving.runner.start()
        try:
            yield
        finally:
            await run_in_threadpool(serving.runner.stop)
            await serving.pool.stop()
            serving.packs.close()
            serving.database.close()

    app = FastAPI(
        title="masklet data engine",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts of other sites
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.serving = serving
    add_handlers(app)
    for module in _ROUTES:
        app.include_router(module.router)
    # The last one added is the outermost.
    app.add_middleware(Page)
    app.add_middleware(BodyLimit, json_bytes=settings.json_bytes, upload_bytes=settings.upload_bytes)
    app.add_middleware(SameOrigin, host=settings.host, known_hosts=settings.known_hosts)
    app.add_middleware(TimedRequests, metrics=serving.metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*_THIS_MACHINE, *settings.proxies])
    return app


def _serving(settings: ServerSettings, pool: Pool | None) -> Serving:
    workspace = Workspace(settings.workspace)
    database = Database(settings.database or workspace.database)
    metrics = Metrics()
    return Serving(
        settings=settings,
        database=database,
        workspace=workspace,
        pool=pool or ModelPool(database, workspace, settings.database, settings.workers),
        runner=JobRunner(database, workspace, metrics, settings.jobs, settings.export_days),
        cookie=SignInCookie(workspace.secret()),
        packs=OpenPacks(workspace),
        metrics=metrics,
        health=HealthCheck(database),
        requests=RateLimit(settings.requests_per_second, int(_BURST * settings.requests_per_second) + 1),
    )
