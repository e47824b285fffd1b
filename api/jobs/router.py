"""All routes under `/v1/jobs`."""

from fastapi import APIRouter

from api.jobs.control import router as control
from api.jobs.history.router import router as history
from api.jobs.results.router import router as results
from api.jobs.routes import router as jobs

router = APIRouter()
for part in (jobs, control, history, results):
    router.include_router(part)
