"""Admission without the rest of the service: no sidecar process, database or storage."""

from functools import cache
from typing import Any

from api.catalog.methods import Methods
from api.jobs.admission import checks
from api.jobs.admission.draft import Context, Draft
from shared import catalog
from tests.fakes.sidecar import accept_everything, no_sidecar


class AcceptingSidecar:
    """A sidecar that builds every network, and reads no tables."""

    def ask(self, question: dict[str, Any], /) -> dict[str, Any]:
        return no_sidecar(question)

    def describe(self, question: dict[str, Any], /) -> dict[str, Any]:
        return accept_everything({"ask": "describe", **question})


@cache
def methods() -> Methods:
    return Methods(catalog.load())


def check(raw: Any) -> Draft:
    """Check a specification whose network can be built; raises InvalidSpec with its faults."""
    nothing: Any = None
    return checks.check(raw, Context(methods(), AcceptingSidecar(), nothing, nothing))


def filled(raw: Any) -> dict[str, Any]:
    """Return a specification with its defaults."""
    return check(raw).filled
