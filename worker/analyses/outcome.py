"""What an analysis returns. The attempt writes it to the job's row and to files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Picture:
    """A picture that matplotlib draws later; analyses themselves do not import it."""

    #: Of the file, without its suffix.
    name: str
    #: Draws on an empty drawing of matplotlib.
    draw: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """The result of an analysis."""

    #: JSON values; numbers that are not finite may be among them.
    result: dict[str, Any]
    #: What was found, as sentences for people; goes into the result as `summary`.
    summary: tuple[str, ...] = ()
    #: By name, for a file of arrays.
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
