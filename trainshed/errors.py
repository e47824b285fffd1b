"""What a call can end with beside an answer."""

from typing import Any

import httpx


class ApiError(Exception):
    """The service refused: its problem document, and every fault in it."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        self.status: int = problem.get("status", 0)
        self.faults: list[dict[str, str]] = problem.get("errors", [])
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.problem.get("detail") or self.problem.get("title") or f"HTTP {self.status}"]
        lines += [f"  {one['pointer'] or '/'}: {one['detail']}" for one in self.faults]
        return "\n".join(lines)


class Unreachable(Exception):
    """Nobody answers at the address."""


class WrongUsage(ValueError):
    """What was asked for makes no sense, whatever the service would say."""


def problem_of(answer: httpx.Response) -> ApiError:
    """The error that an answer carries."""
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if not isinstance(found, dict) or "status" not in found:
        found = {"status": answer.status_code, "detail": answer.text[:500]}
    return ApiError(found)


def not_found(what: str, known: list[str]) -> ApiError:
    """The error that a job has no such thing; it names those it has."""
    there = ", ".join(known) or "none yet"
    return ApiError({"status": 404, "detail": f"The job has no {what}; there are {there}."})
