"""How errors become responses: a table from error class to HTTP status, and the handlers."""

from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.http.methods import allowed_methods, not_allowed
from api.http.problem import RETRY_AFTER_SECONDS, problem
from api.http.pydantic_rules import parameter_fault
from shared import errors
from shared.errors import Fault, ServiceError
from shared.jobs import unreadable_rows

log = structlog.get_logger()

STATUS: dict[type[ServiceError], int] = {
    errors.ServiceError: 500,
    errors.BadRequest: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.InUse: 409,
    errors.StorageLimit: 409,
    errors.DatasetMissing: 409,
    errors.RowUnreadable: 409,
    errors.DamagedFile: 500,
    errors.Fenced: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.InvalidSpec: 422,
    errors.BadWeights: 422,
    errors.IdempotencyMismatch: 422,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
    errors.DiskFull: 507,
}
#: Of requests that `api.http` refuses before a route is called, in addition to `STATUS`.
REFUSALS = (414, 431)
#: The error responses that every route may have, for the OpenAPI document.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for status in sorted({*STATUS.values(), *REFUSALS} - {500})
}


def _kind(error: ServiceError) -> str:
    if error.code is not None:
        return error.code
    name = type(error).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    status = STATUS[type(error)]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("service error", path=request.url.path, exc_info=error)
    if isinstance(error, errors.RowUnreadable):
        unreadable_rows.note(error)
    extra = dict(error.data)
    if isinstance(error, errors.InvalidSpec):
        extra["errors"] = [fault.as_json() for fault in error.faults]
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, errors.LimitReached):
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_seconds)))
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.data['bytes']}"
    return problem(
        status, error.detail, instance=request.url.path, kind=_kind(error), headers=headers, **extra
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = allowed_methods(request.app.router.routes, request.scope)
        return not_allowed(request.scope, allowed)
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is no such address; /docs lists the addresses of the API."
    return problem(error.status_code, detail, instance=request.url.path, headers=headers)


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault("/" + "/".join(map(str, entry["loc"])), parameter_fault(entry))
        for entry in error.errors()
    ]
    return problem(
        422,
        "The request has invalid parameters; `errors` lists each of them.",
        instance=request.url.path,
        kind="invalid-parameters",
        errors=[fault.as_json() for fault in faults],
    )


async def _client_disconnect(request: Request, _: Exception) -> Response:
    # Only for completeness: the client is gone.
    return problem(400, "The request ended before its body did.", instance=request.url.path)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return problem(
        500,
        "Internal server error; the service's log has the details.",
        instance=request.url.path,
        # uvicorn closes the connection: without the header, the next request would be reset.
        headers={"Connection": "close"},
    )


EXCEPTION_HANDLERS: dict[Any, Any] = {
    ServiceError: _service_error,
    HTTPException: _http_error,
    RequestValidationError: _invalid_parameters,
    ClientDisconnect: _client_disconnect,
    Exception: _unexpected_error,
}
