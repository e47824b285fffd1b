"""The application: a table of contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from api import errors
from api.augmentation.routes import router as augmentation
from api.catalog.routes import router as catalog
from api.datasets.routes import router as datasets
from api.deps import caller
from api.health.routes import private as metrics
from api.health.routes import public as health
from api.http.guard import Guard
from api.jobs.router import router as jobs
from api.openapi import complete
from api.presets.routes import router as presets
from api.reference.routes import router as reference
from api.services import Services, open_services
from api.weights.routes import router as weights
from shared.settings import Settings

TITLE = "Trainshed"
VERSION = "0.1.0"


def create_app(settings: Settings) -> FastAPI:
    """The API over a database that has the newest tables."""
    services = open_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.doorbell.start()
        yield
        await services.watcher.close()
        services.close()

    app = FastAPI(
        title=TITLE,
        version=VERSION,
        summary="Training jobs for a team that shares a GPU box",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers=errors.HANDLERS,
        responses=errors.RESPONSES,
    )
    app.state.services = services
    for router in (health, reference):
        app.include_router(router)
    for router in (jobs, presets, datasets, catalog, augmentation, weights, metrics):
        app.include_router(router, dependencies=[Depends(caller)])
    complete(app)
    app.add_middleware(Guard, hosts=_hosts(settings))
    return app


def _hosts(settings: Settings) -> list[str]:
    """Names that a request may be meant for: another name is somebody else's page."""
    further = map(str.strip, settings.allowed_hosts.split(","))
    return ["127.0.0.1", "localhost", "::1", settings.host, *further]


__all__ = ["Services", "create_app"]
