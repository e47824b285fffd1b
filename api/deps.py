"""Dependencies of the routes. All are `async`: a plain function would occupy a thread per call."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.http.requests import JobIdText
from api.http.timed_protocol import HAS_KEY
from api.services.container import Services
from shared.errors import BadRequest, NotFound, Unauthorized
from shared.ids import LENGTH, is_id


@dataclass(frozen=True)
class Caller:
    """The account that made the request."""

    name: str


async def services(request: Request) -> Services:
    """Return the services of the application."""
    return request.app.state.services


ServicesDep = Annotated[Services, Depends(services)]

# Only declares the scheme in the OpenAPI document; `caller` gives more precise errors.
_scheme = HTTPBearer(auto_error=False, description="The key, as `Authorization: Bearer KEY`")


async def caller(
    request: Request, services: ServicesDep, _: Annotated[object, Depends(_scheme)]
) -> Caller:
    """Return the caller whose key the request has.

    Raises:
        Unauthorized: The request has no key, or an unknown key.
        BadRequest: It has more than one.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise BadRequest("The request has more than one Authorization header.")
    scheme, _, key = (headers[0] if headers else "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthorized
    if not services.keys.is_admin(key):
        raise Unauthorized("The key is not valid.")
    # A connection with a key is kept when there are too many.
    setattr(request.state, HAS_KEY, True)
    return Caller("admin")


CallerDep = Annotated[Caller, Depends(caller)]


async def job_id(job_id: JobIdText) -> str:
    """Return the job id from the path.

    Raises:
        NotFound: It does not have the form of a job id.
    """
    if not is_id("job", job_id):
        raise NotFound(f"There is no such job. A job's id is job_ and {LENGTH} characters.")
    return job_id


JobId = Annotated[str, Depends(job_id)]
