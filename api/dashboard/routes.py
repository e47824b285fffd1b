"""All pages for people."""

from fastapi import APIRouter

from api.dashboard.assets import router as assets
from api.dashboard.home import router as home
from api.dashboard.job import router as job
from api.dashboard.job_actions import router as job_actions
from api.dashboard.job_results import router as job_results
from api.dashboard.login import router as login

router = APIRouter()
for part in (assets, login, home, job, job_results, job_actions):
    router.include_router(part)
