"""A picture of some images of each class of a data set."""

import base64
from typing import Any

from api.datasets import lookup
from api.services.container import Services
from api.services.principal import Principal
from shared.datasets import FACTS, DatasetFacts, is_available
from shared.errors import Conflict, Fault, InvalidSpec


def read(services: Services, principal: Principal, name: str, request: dict[str, Any]) -> bytes:
    """Return the picture as a PNG.

    Args:
        services: of the process.
        principal: who reads it.
        name: of a built-in set or an upload, or `name@version`.
        request: per_class, classes and first_class (numbers).

    Raises:
        NotFound: there is no such data set.
        Conflict: it is a table, not ready, or not on this box.
        InvalidSpec: it has too few classes, or its images take too long to read.
        Unavailable: the sidecar does not respond.
    """
    facts = _facts(services, principal, name)
    if facts.kind == "table":
        raise Conflict(f"{name} is a table, which has no images.")
    count = len(facts.classes)
    if request["first_class"] >= count:
        text = f"is {request['first_class']}; it must be less than {count}, the number of classes"
        raise InvalidSpec([Fault("/query/first_class", text)], subject="request")
    fields = {"name": facts.name, **request}
    return base64.b64decode(services.sidecar.send("samples", fields)["png"])


def _facts(services: Services, principal: Principal, name: str) -> DatasetFacts:
    if name in FACTS:
        facts = FACTS[name]
        if facts.kind == "images" and not is_available(name, services.settings.home):
            raise Conflict(f"{name} is not on this box yet; the first job that uses it fetches it.")
        return facts
    rows = lookup.find(services, principal, name)
    ready = next((row for row in rows if row.state == "ready"), None)
    if ready is None:
        raise Conflict(f"{rows[0].reference} is {rows[0].state}; only a ready data set is shown.")
    return ready.facts()
