"""Admission without the rest of the service: no sidecar process, database or storage."""

import json
from functools import cache
from typing import Any

from api.catalog.methods import Methods
from api.http.strict_json import parse
from api.jobs.admission import checks
from api.jobs.admission.draft import Context, Draft
from api.services.principal import Principal
from shared import catalog
from shared.accounts.roles import Level
from shared.errors import Fault, InvalidSpec, Unavailable
from tests.fakes.sidecar import Respond, accept_everything

ADMIN = Principal("admin", "admin", Level.ADMIN, key_id="admin")
#: Of the largest worker.
DEVICES = ("cpu:0", "cpu:1")
#: The smallest specification.
SPEC: dict[str, Any] = {"dataset": "digits", "architecture": "mlp"}


class SidecarInProcess:
    """A sidecar that responds with a function of the test."""

    def __init__(self, respond: Respond = accept_everything) -> None:
        self.respond = respond
        #: Every request received so far.
        self.requests: list[dict[str, Any]] = []

    def send(self, operation: str, fields: dict[str, Any], /) -> dict[str, Any]:
        request = {"operation": operation, **fields}
        self.requests.append(request)
        response = self.respond(request)
        if not response["ok"]:
            raise InvalidSpec([Fault(**fault) for fault in response["faults"]])
        return response

    def confirm(self, operation: str, fields: dict[str, Any], /) -> None:
        self.send(operation, fields)

    def describe(self, fields: dict[str, Any], /) -> dict[str, Any]:
        return self.send("describe", fields)


class SilentSidecar:
    """A sidecar that does not respond."""

    def send(self, _operation: str, _fields: dict[str, Any], /) -> dict[str, Any]:
        raise Unavailable

    def confirm(self, _operation: str, _fields: dict[str, Any], /) -> None:
        raise Unavailable

    def describe(self, _fields: dict[str, Any], /) -> dict[str, Any]:
        raise Unavailable


@cache
def methods() -> Methods:
    return Methods(catalog.load())


def check(raw: Any, sidecar: Any = None) -> Draft:
    """Check a body as the service does; raises InvalidSpec with its faults."""
    nothing: Any = None
    context = Context(
        methods(),
        sidecar or SidecarInProcess(),
        database=nothing,
        storage=nothing,
        principal=ADMIN,
        largest_worker=lambda: DEVICES,
    )
    return checks.check(parse(json.dumps(raw).encode()), context)


def filled(raw: Any, sidecar: Any = None) -> dict[str, Any]:
    """Return a specification with its defaults."""
    return check(raw, sidecar).filled


def faults(raw: Any, sidecar: Any = None) -> dict[str, str]:
    """Return the faults of a specification by pointer; empty where it has none."""
    try:
        check(raw, sidecar)
    except InvalidSpec as error:
        return {fault.pointer: fault.detail for fault in error.faults}
    return {}
