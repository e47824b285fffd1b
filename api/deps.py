"""Dependencies of the routes. All are `async`: a plain function would occupy a thread per call."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPBearer
from structlog.contextvars import bind_contextvars

from api.http.origin import check_origin
from api.http.requests import IS_COUNTED, JobIdText
from api.http.timed_protocol import HAS_KEY
from api.services.authentication import SESSION_COOKIE
from api.services.container import Services
from api.services.principal import Principal, RightName
from shared.errors import BadRequest, Forbidden, NotFound, Unauthorized
from shared.ids import LENGTH, is_id


async def services(request: Request) -> Services:
    """Return the services of the application."""
    return request.app.state.services


ServicesDep = Annotated[Services, Depends(services)]

#: Only declares the scheme in the OpenAPI document; `principal` gives more precise errors.
scheme = HTTPBearer(auto_error=False, description="The key, as `Authorization: Bearer KEY`")


async def principal(request: Request) -> Principal:
    """Return the person whose key or session the request has; a key takes precedence.

    Raises:
        Unauthorized: The request has neither, or an unknown key.
        Forbidden: It has a session, and a foreign page makes a change.
        BadRequest: It has more than one.
        LimitReached: The person makes too many requests.
    """
    # Not a dependency: FastAPI would look at it again wherever a principal is needed.
    services: Services = request.app.state.services
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise BadRequest("The request has more than one Authorization header.")
    token = request.cookies.get(SESSION_COOKIE)
    if not headers and token is not None:
        found = await services.authenticator.of_session(token)
        check_origin(request)
        setattr(request.state, HAS_KEY, True)
        await _count(request, services, found)
        return found
    scheme, _, key = (headers[0] if headers else "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthorized
    found = await services.authenticator.of_key(key)
    # A connection with a key is kept when there are too many.
    setattr(request.state, HAS_KEY, True)
    await _count(request, services, found)
    return found


async def _count(request: Request, services: Services, found: Principal) -> None:
    """Count the request, but not the further calls of a page; name the person in the log."""
    bind_contextvars(request=found.request_id, user=found.name)
    if not getattr(request.state, IS_COUNTED, False):
        await services.request_rates.count(found.name)


PrincipalDep = Annotated[Principal, Depends(principal)]


@dataclass(frozen=True)
class Right:
    """A dependency that refuses requests without a right."""

    name: RightName

    async def __call__(self, principal: PrincipalDep) -> Principal:
        """Return the person who makes the request.

        Raises:
            Forbidden: The role or the key does not have the right.
        """
        principal.require(self.name)
        return principal


def right(name: RightName) -> Right:
    """Return what a route declares as `dependencies=[Security(right("jobs:read"))]`."""
    return Right(name)


async def without_key() -> None:
    """Declare that a route needs no key."""


def declared_rights(app: FastAPI) -> dict[tuple[str, str], RightName | None]:
    """Return the right of each route by method and path; None for a public route.

    Raises:
        RuntimeError: A route declares none, or several. Such an application must not start.
    """
    found: dict[tuple[str, str], RightName | None] = {}
    for route in iter_route_contexts(app.router.routes):
        declared = [each.dependency for each in getattr(route, "dependencies", None) or ()]
        rights = [each for each in declared if isinstance(each, Right) or each is without_key]
        path = getattr(route, "path", "?")
        if len(rights) != 1:
            raise RuntimeError(f"{path} declares {len(rights)} rights; a route declares one.")
        (declared_right,) = rights
        name = declared_right.name if isinstance(declared_right, Right) else None
        for method in sorted(getattr(route, "methods", None) or ()):
            found[method, path] = name
    return found


async def job_id(job_id: JobIdText, principal: PrincipalDep, services: ServicesDep) -> str:
    """Return the id of a job that may be read, from the path.

    Raises:
        NotFound: It does not have the form of a job id, or there is no such job to be seen.
    """
    if not is_id("job", job_id):
        raise NotFound(f"There is no such job. A job's id is job_ and {LENGTH} characters.")
    if not principal.reads_all:
        owners = await services.owners.find(job_id)
        if owners is None or not principal.may_read(owners.owner):
            raise NotFound(f"There is no job {job_id}.")
    return job_id


JobId = Annotated[str, Depends(job_id)]


async def own_job_id(job_id: JobId, principal: PrincipalDep, services: ServicesDep) -> str:
    """Return the id of a job that may be changed, from the path.

    Raises:
        NotFound: There is no such job to be seen.
        Forbidden: It belongs to somebody else.
    """
    if not principal.is_admin:
        owners = await services.owners.find(job_id)
        if owners is None:
            raise NotFound(f"There is no job {job_id}.")
        if not principal.may_change(owners.owner):
            raise Forbidden("The job belongs to somebody else; only its owner can change it.")
    return job_id


OwnJobId = Annotated[str, Depends(own_job_id)]
