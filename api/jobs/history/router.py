"""All routes of a job's history."""

from fastapi import APIRouter

from api.jobs.history.events import router as events
from api.jobs.history.logs import router as logs
from api.jobs.history.metrics import router as metrics

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])
for part in (events, metrics, logs):
    router.include_router(part)
