"""What runs next to the requests, from the start of the application to its end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from api.findings.automatic_checks import AutomaticChecks
from api.services.container import Services


def lifespan_of(services: Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an application with these services."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        checks = AutomaticChecks(services)
        services.doorbell.start()
        checks.start()
        yield
        checks.stop()
        await services.watcher.close()
        services.close()

    return lifespan
