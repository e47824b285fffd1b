"""Forms of pages: their values as JSON, and the faults of a request at their fields."""

from dataclasses import dataclass, field
from typing import Any

from api.dashboard.api_client import ApiError

Json = dict[str, Any]

#: Statuses that are answered on the form: the person can do something about them there.
ON_THE_FORM = {403, 409, 422}


@dataclass
class Form:
    """What a person typed, and what is wrong with it."""

    values: dict[str, str] = field(default_factory=dict)
    #: Faults by the name of their field.
    faults: dict[str, str] = field(default_factory=dict)
    #: A fault of the whole.
    fault: str | None = None

    def value(self, name: str, default: Any = "") -> Any:
        """Return what was typed into a field, or else its default."""
        return self.values.get(name) or default

    @property
    def status(self) -> int:
        """The status of the page."""
        return 422 if self.fault or self.faults else 200

    def add(self, error: ApiError) -> None:
        """Take over what the API refuses.

        Raises:
            ApiError: it is nothing that the form can say.
        """
        if error.status not in ON_THE_FORM:
            raise error
        for each in error.problem.get("errors") or ():
            self.faults[_field(each["pointer"])] = each["detail"]
        if not self.faults:
            self.fault = error.problem["detail"]


def _field(pointer: str) -> str:
    """Return the name of the field for a pointer: limits have a field each, lists one for all."""
    parts = pointer.strip("/").split("/")
    return ":".join(parts[:2]) if parts[0] == "limits" else parts[0]


def number(text: str) -> Any:
    """Return a number that was typed; the text where it is none, so that the API refuses it."""
    for kind in (int, float):
        try:
            return kind(text.strip().replace(",", ""))
        except ValueError:
            continue
    return text
