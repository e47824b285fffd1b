"""Everything under `/v1/jobs`."""

from fastapi import APIRouter

from api.jobs.reading import router as reading
from api.jobs.results import router as results
from api.jobs.routes import router as jobs
from api.jobs.tensorboard import router as tensorboard

router = APIRouter()
for part in (jobs, reading, results, tensorboard):
    router.include_router(part)
