"""How the service watches a training and explains it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from shared.spec.fields import MethodName
from shared.spec.part import SpecPart

MODES = ("standard", "off", "full")


def _check_verify(value: object) -> object:
    """Accept false and "auto"; 0 equals false in Python, but is another value."""
    if value is not False and value != "auto":
        raise ValueError('it must be false or "auto"')
    return value


Verify = Annotated[
    Any,
    AfterValidator(_check_verify),
    # Not one `enum` of both types, which generators of clients do not read.
    WithJsonSchema({"anyOf": [{"const": False}, {"const": "auto"}]}),
]


class DiagnosticsSpec(SpecPart):
    """The rules that watch a training. A bare mode is short for an object with this mode."""

    #: `standard` is cheap; `full` adds the rules that train on their own; `off` watches nothing.
    mode: Literal["standard", "off", "full"] = "standard"
    #: Whether an error ends the job, with a checkpoint.
    on_error: Literal["note", "stop"] = "note"
    #: Whether the first patch of the most important finding is checked once the job has ended.
    verify: Verify = False
    #: By rule: its parameters, or false to switch it off. Others have their defaults.
    rules: dict[MethodName, Any] = Field(default={}, max_length=64)


def expand_mode(value: object) -> object:
    """Return a bare mode as an object."""
    return {"mode": value} if isinstance(value, str) else value
