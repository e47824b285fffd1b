"""The OpenAPI document has the shapes that generators of clients take."""

import re
from collections.abc import Iterator
from typing import Any

from tests.api.service import Service


def test_operations_and_schemas_have_short_names(service: Service) -> None:
    """Generators of clients make the names of functions and classes from them."""
    document = service.app.openapi()
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len({*operations}) == len(operations) > 25
    assert {"submit_job", "cancel_job", "list_jobs", "get_top_k"} <= {*operations}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in operations)
    assert "ListOfJob" in document["components"]["schemas"]
    assert not [name for name in document["components"]["schemas"] if name.endswith("_")]


def test_no_default_is_an_object(service: Service) -> None:
    """openapi-python-client leaves a model out that has such a default under `anyOf`."""

    def defaults(part: Any) -> Iterator[Any]:
        if isinstance(part, list):
            for entry in part:
                yield from defaults(entry)
        elif isinstance(part, dict):
            if isinstance(part.get("default"), dict) and ("anyOf" in part or "$ref" in part):
                yield part
            for entry in part.values():
                yield from defaults(entry)

    assert not [*defaults(service.app.openapi())]
