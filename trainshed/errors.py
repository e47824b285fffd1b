"""The errors of the client."""

import difflib
from typing import Any

import httpx


class ApiError(Exception):
    """The service refused a request.

    Attributes:
        problem: the problem document.
        status: the HTTP status.
        faults: the faults of a specification, each with `pointer` and `detail`.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        self.status: int = problem.get("status", 0)
        self.faults: list[dict[str, str]] = problem.get("errors", [])
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.problem.get("detail") or self.problem.get("title") or f"HTTP {self.status}"]
        # The fault of a patch has the field of the specification too, which says more.
        at = [fault.get("field") or fault["pointer"] or "/" for fault in self.faults]
        lines += [f"  {p}: {fault['detail']}" for p, fault in zip(at, self.faults, strict=True)]
        return "\n".join(lines)


class Unreachable(Exception):
    """No service answers at the address, or its response is not Trainshed's."""


class WrongUsage(ValueError):
    """An argument, a setting or a file is not valid, so that no request is sent."""


def problem_of(response: httpx.Response) -> ApiError:
    """Return the error that a response describes."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict) or "status" not in problem:
        problem = {"status": response.status_code, "detail": response.text[:500]}
    return ApiError(problem)


def not_found(name: str, available: list[str]) -> ApiError:
    """Return the error for something that a job does not have, with the names that it has."""
    names = ", ".join(available) or "none yet"
    return ApiError({"status": 404, "detail": f"The job has no {name}. Available: {names}."})


def no_such(kind: str, name: str, available: list[str]) -> ApiError:
    """Return the error for a name that the service does not have, with the nearest that it has."""
    nearest = difflib.get_close_matches(name.lower(), available, n=1)
    meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
    detail = f"There is no {kind} {name!r}.{meant} Available: {', '.join(available)}."
    return ApiError({"status": 404, "detail": detail})
