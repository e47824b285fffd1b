"""`POST /v1/login-links`: a link with which a browser logs in once, without a key."""

from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from api.deps import PrincipalDep, ServicesDep, right, scheme
from api.http.responses import json_response
from api.http.schemas import Count
from api.services.container import Services
from api.services.login_codes import CODE_SECONDS
from api.services.principal import Principal

router = APIRouter(prefix="/v1/login-links", tags=["login"])


class LoginLink(BaseModel):
    """A link that logs a browser in once."""

    object: Literal["login_link"]
    path: str = Field(description="Below the address of the service")
    expires_in_seconds: Count


@router.post(
    "",
    dependencies=[Security(right("account:read")), Security(scheme)],
    status_code=201,
    summary="Create a login link",
    responses={201: {"model": LoginLink}},
)
async def create_login_link(services: ServicesDep, principal: PrincipalDep) -> Any:
    """Return a path that logs a browser in as the caller, once and within 10 minutes.

    Append `&next=` and the path of a page to lead there.
    """
    await run_in_threadpool(_record, services, principal)
    query = urlencode({"code": services.login_codes.issue(principal)})
    link = {"object": "login_link", "path": f"/login?{query}", "expires_in_seconds": CODE_SECONDS}
    return json_response(link, status=201)


def _record(services: Services, principal: Principal) -> None:
    """Record the link, which only this process knows, before it is made."""
    with services.change(principal, "login_link.create", principal.name):
        pass
