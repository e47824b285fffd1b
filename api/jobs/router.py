"""All routes under `/v1/jobs`, and the queue."""

from fastapi import APIRouter

from api.jobs.control import router as control
from api.jobs.history.router import router as history
from api.jobs.results.router import router as results
from api.jobs.routes import router as jobs
from api.queue.router import router as queue

router = APIRouter()
for part in (jobs, control, history, results, queue):
    router.include_router(part)
