"""What routes ask for in their signatures. All `async`: a plain one would cost a thread each."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.services import Services
from shared.errors import BadRequest, NotFound, Unauthorized
from shared.ids import is_id


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str


async def services(request: Request) -> Services:
    """What the application works with."""
    return request.app.state.services


ServicesDep = Annotated[Services, Depends(services)]

# Only for the OpenAPI document; the check is ours, since it knows what is wrong.
_scheme = HTTPBearer(auto_error=False, description="The key, as `Authorization: Bearer KEY`")


async def caller(
    request: Request, services: ServicesDep, _: Annotated[object, Depends(_scheme)]
) -> Caller:
    """The caller by key.

    Raises:
        Unauthorized: no key, or not one of ours.
        BadRequest: more than one.
    """
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise BadRequest("The request has more than one Authorization header.")
    scheme, _, key = (given[0] if given else "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthorized
    if not services.keys.is_admin(key):
        raise Unauthorized("This key is not known here.")
    return Caller("admin")


CallerDep = Annotated[Caller, Depends(caller)]


async def job_id(job_id: str) -> str:
    """A job's id from the path.

    Raises:
        NotFound: it has not the form of one.
    """
    if not is_id("job", job_id):
        raise NotFound("There is no such job; a job's id looks like job_ and 26 characters.")
    return job_id


JobId = Annotated[str, Depends(job_id)]
