"""How errors look outside: one table from class to status, one form (RFC 9457)."""

import json
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from shared import errors
from shared.errors import Fault, ServiceError

log = structlog.get_logger()

STATUS: dict[type[ServiceError], int] = {
    errors.ServiceError: 500,
    errors.BadRequest: 400,
    errors.Unauthorized: 401,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.RowUnreadable: 500,
    errors.Fenced: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.InvalidSpec: 422,
    errors.BadWeights: 422,
    errors.IdempotencyMismatch: 422,
    errors.Unavailable: 503,
}
RETRY_AFTER_SECONDS = "2"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def problem(
    status: int,
    detail: str,
    *,
    instance: str,
    kind: str | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """The answer to what went wrong."""
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:trainshed:problem:{kind or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **extra,
    }
    return Response(
        # ASCII: whatever a client sent comes back as JSON that every reader takes.
        json.dumps(body),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def _kind(error: ServiceError) -> str:
    name = type(error).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    status = STATUS[type(error)]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("service error", path=request.url.path, exc_info=error)
    extra = dict(error.data)
    if isinstance(error, errors.InvalidSpec):
        extra["errors"] = [vars(fault) for fault in error.faults]
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.data['bytes']}"
    return problem(
        status, error.detail, instance=request.url.path, kind=_kind(error), headers=headers, **extra
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this address."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = taken = ", ".join(_methods_at(request))
        detail = f"This address does not take {request.method}; it takes {taken}."
    return problem(error.status_code, detail, instance=request.url.path, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """The methods that an address takes, of all its routes: Starlette knows those of the first."""
    routes = request.app.router.routes
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    ]


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(
            "/" + "/".join(str(part) for part in one["loc"]),
            one["msg"].removeprefix("Value error, "),
        )
        for one in error.errors()
    ]
    return problem(
        422,
        "A parameter of the request is not admitted; `errors` names each.",
        instance=request.url.path,
        kind="invalid-parameters",
        errors=[vars(fault) for fault in faults],
    )


async def _hung_up(request: Request, _: Exception) -> Response:
    # Nobody hears it: the request was not finished.
    return problem(400, "The request ended before its body did.", instance=request.url.path)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected", path=request.url.path, exc_info=error)
    return problem(
        500,
        "The service made a mistake; its log has the details.",
        instance=request.url.path,
        # uvicorn closes it: a client that is not told so meets a reset at its next request.
        headers={"Connection": "close"},
    )


HANDLERS: dict[Any, Any] = {
    ServiceError: _service_error,
    HTTPException: _http_error,
    RequestValidationError: _invalid_parameters,
    ClientDisconnect: _hung_up,
    Exception: _unexpected,
}

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for status in sorted({*STATUS.values()} - {500})
}
