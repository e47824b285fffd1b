"""Everything under `/v1/jobs`."""

from fastapi import APIRouter

from api.jobs.history.routes import router as reading
from api.jobs.results.routes import router as results
from api.jobs.results.tensorboard import router as tensorboard
from api.jobs.routes import router as jobs

router = APIRouter()
for part in (jobs, reading, results, tensorboard):
    router.include_router(part)
