"""Routes of included routers as routes of the application itself.

FastAPI keeps included routers apart: it searches each router in turn, and the router with the route
a second time. With a hundred routes that takes longer than the work of many requests.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

#: What a route has been declared with, besides its path, endpoint and dependencies.
DECLARED = (
    *("response_model", "status_code", "tags", "summary", "description", "response_description"),
    *("responses", "deprecated", "methods", "operation_id", "include_in_schema", "response_class"),
    *("name", "openapi_extra"),
)


def include(app: FastAPI, router: APIRouter, dependencies: Sequence[Depends]) -> None:
    """Add the routes of a router, and of the routers in it, to an application.

    Args:
        app: the application.
        router: with its routes.
        dependencies: of each of its routes, before its own dependencies.
    """
    for context in iter_route_contexts(router.routes):
        if not isinstance(context.original_route, APIRoute):
            raise TypeError(f"{context.path} is no route of an API; add it to the application.")
        _add(app, context, dependencies, type(context.original_route))


def _add(
    app: FastAPI, context: RouteContext, dependencies: Sequence[Depends], kind: type[APIRoute]
) -> None:
    options: dict[str, Any] = {name: getattr(context, name) for name in DECLARED}
    assert context.path is not None
    assert context.endpoint is not None
    options["dependencies"] = [*dependencies, *context.dependencies]
    # Pages have a kind of their own, which makes pages of errors and leads to the login.
    app.router.add_api_route(context.path, context.endpoint, route_class_override=kind, **options)
