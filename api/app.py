"""The application: a table of contents."""

from fastapi import Depends, FastAPI, Security

from api import errors
from api.accounts.router import router as accounts
from api.accounts.users import ME
from api.analyses.routes import router as analyses
from api.augmentation.routes import router as augmentation
from api.backup.routes import router as backup
from api.catalog.routes import router as catalog
from api.comparison.routes import router as comparison
from api.dashboard.predictions import UPLOAD as PICTURES_OF_PAGE
from api.dashboard.routes import router as dashboard
from api.datasets.routes import UPLOAD as UPLOAD_DATASET
from api.datasets.routes import router as datasets
from api.deps import declared_rights, principal, scheme
from api.findings.routes import router as findings
from api.health.routes import public as health
from api.http.flat_routes import include
from api.http.guard import Guard
from api.http.methods import Methods
from api.http.query_parameters import check_query_parameters
from api.jobs.polls import Polls
from api.jobs.results.prediction_input import UPLOAD as PICTURES
from api.jobs.router import router as jobs
from api.jobs.routes import VALIDATE
from api.lifespan import lifespan_of
from api.openapi import extend_openapi
from api.presets.routes import router as presets
from api.prometheus.routes import router as prometheus
from api.reference.routes import router as reference
from api.services.container import open_services
from api.weights.routes import UPLOAD
from api.weights.routes import router as weights
from shared.settings import Settings

TITLE, VERSION = "Trainshed", "0.1.0"

PUBLIC = (health, reference)
PRIVATE = (
    *(jobs, accounts, findings, analyses, comparison, presets, datasets, catalog),
    *(augmentation, weights, backup, prometheus),
)
UPLOADS = (UPLOAD, UPLOAD_DATASET, PICTURES, PICTURES_OF_PAGE)


def create_app(settings: Settings) -> FastAPI:
    """Create the application; the database must be migrated."""
    services = open_services(settings)

    app = FastAPI(
        title=TITLE,
        version=VERSION,
        summary="Training jobs for a team that shares a GPU box",
        lifespan=lifespan_of(services),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=errors.EXCEPTION_HANDLERS,
        responses=errors.RESPONSES,
    )
    app.state.services = services
    known_parameters = Depends(check_query_parameters)
    for router in PUBLIC:
        include(app, router, [known_parameters])
    for router in PRIVATE:
        include(app, router, [Depends(principal), Security(scheme), known_parameters])
    include(app, dashboard, [known_parameters])  # last: its pages have the most routes
    declared_rights(app)
    extend_openapi(app)
    app.add_middleware(Polls, services=services)
    app.add_middleware(Methods, routes=app.router.routes, fixed=[VALIDATE, ME])
    app.add_middleware(Guard, hosts=settings.names, uploads=UPLOADS)
    return app
