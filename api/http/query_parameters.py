"""Query parameters that a route does not know, or that are given twice: refused, not ignored."""

import difflib
from collections import Counter
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.http.faults import available, quoted

SIMILAR = 0.5


async def check_query_parameters(request: Request) -> None:
    """Check that the route knows every query parameter, and that none is given twice.

    Raises:
        RequestValidationError: With every such parameter.
    """
    route = request.scope["route"]
    if not request.scope["query_string"] or not isinstance(route, APIRoute):
        return
    known = _takes_several(route.dependant)
    given = Counter(name for name, _ in request.query_params.multi_items())
    errors = [
        {"loc": ("query", name), "msg": text}
        for name, count in given.items()
        if (text := _fault(name, count, known))
    ]
    if errors:
        raise RequestValidationError(errors)


def _takes_several(dependant: Dependant) -> dict[str, bool]:
    """Return, by the name of each query parameter, whether it may be given several times."""
    parts = {
        name: several
        for part in dependant.dependencies
        for name, several in _takes_several(part).items()
    }
    return parts | {
        field.alias: _has_list(field.field_info.annotation) for field in dependant.query_params
    }


def _has_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _fault(name: str, count: int, known: dict[str, bool]) -> str | None:
    if name not in known:
        names = sorted(known)
        nearest = difflib.get_close_matches(name.lower(), names, n=1, cutoff=SIMILAR)
        meant = f"Did you mean {quoted(nearest[0])}? " if nearest else ""
        return f"is not a query parameter of this address. {meant}{available(names)}"
    return None if count == 1 or known[name] else f"is given {count} times; give it once"
