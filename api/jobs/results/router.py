"""All routes of a job's results."""

from fastapi import APIRouter

from api.jobs.results.artifacts import router as artifacts
from api.jobs.results.checkpoints import router as checkpoints
from api.jobs.results.confusion import router as confusion
from api.jobs.results.exports import router as exports
from api.jobs.results.pictures import router as pictures
from api.jobs.results.predictions import router as predictions
from api.jobs.results.tensorboard import router as tensorboard
from api.jobs.results.top_k import router as top_k

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])
PARTS = (
    *(checkpoints, exports, top_k, pictures, confusion, predictions, artifacts),
    tensorboard,
)
for part in PARTS:
    router.include_router(part)
