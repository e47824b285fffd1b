"""All routes of accounts."""

from fastapi import APIRouter

from api.accounts.audit import router as audit
from api.accounts.keys import router as keys
from api.accounts.sessions import router as sessions
from api.accounts.users import router as users

router = APIRouter(prefix="/v1")
for part in (users, keys, sessions, audit):
    router.include_router(part)
