"""All pages for people, and what the API has for them alone."""

from fastapi import APIRouter

from api.dashboard.accounts.audit import router as audit
from api.dashboard.accounts.keys import router as keys
from api.dashboard.accounts.users import router as users
from api.dashboard.analyses.routes import router as analyses
from api.dashboard.assets import router as assets
from api.dashboard.catalogue.routes import router as catalogue
from api.dashboard.compare import router as compare
from api.dashboard.datasets import router as datasets
from api.dashboard.home import router as home
from api.dashboard.job import router as job
from api.dashboard.job_actions import router as job_actions
from api.dashboard.job_results import router as job_results
from api.dashboard.leaderboard import router as leaderboard
from api.dashboard.login import router as login
from api.dashboard.login_links import router as login_links
from api.dashboard.predictions import router as predictions
from api.dashboard.submission.routes import router as submission

router = APIRouter()
for part in (
    *(
        assets,
        login,
        login_links,
        home,
        analyses,
        submission,
        job,
        job_results,
        predictions,
        job_actions,
    ),
    *(compare, leaderboard, datasets, catalogue),
    *(keys, users, audit),
):
    router.include_router(part)
