"""The faults of a request: their pointers, their wording, and all of them in one answer."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from shared.errors import MAX_FAULTS, Fault, InvalidSpec

MAX_VALUE_LENGTH = 60
#: How many names a message lists.
MAX_NAMES = 60

T = TypeVar("T")


class Faults:
    """The faults of one request; of several at one pointer the first counts."""

    def __init__(self) -> None:
        self._by_pointer: dict[str, Fault] = {}

    def __bool__(self) -> bool:
        return bool(self._by_pointer)

    def add(self, pointer: str, detail: str) -> None:
        """Record a fault."""
        self._by_pointer.setdefault(pointer, Fault(pointer, detail))

    def take(self, result: tuple[T, Iterable[Fault]]) -> T:
        """Record the faults of a result and return its value."""
        value, faults = result
        self.extend(faults)
        return value

    def extend(self, faults: Iterable[Fault]) -> None:
        """Record several faults."""
        for fault in faults:
            self._by_pointer.setdefault(fault.pointer, fault)

    @property
    def is_full(self) -> bool:
        """Whether there are more faults than one answer reports, so that no check need add any."""
        return len(self._by_pointer) > MAX_FAULTS

    def match(self, pattern: re.Pattern[str]) -> bool:
        """Return whether the pointer of a fault begins with the pattern."""
        return any(pattern.match(pointer) for pointer in self._by_pointer)

    def in_order(self) -> list[Fault]:
        """Return the faults in the order of their pointers."""
        return [self._by_pointer[pointer] for pointer in sorted(self._by_pointer)]

    def raise_if_any(self, *, subject: str = "specification") -> None:
        """Refuse the request if it has faults.

        Args:
            subject: what has the faults, for the message.

        Raises:
            InvalidSpec: with every fault.
        """
        if self:
            raise InvalidSpec(self.in_order(), subject=subject)


def abbreviated(value: Any) -> str:
    """Return a value as JSON in ASCII, cut to a length that suits a message."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 1]}…"


def quoted(name: str) -> str:
    """Return a name in backquotes, cut to a length that suits a message."""
    text = json.dumps(name)[1:-1]
    return f"`{text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + '…'}`"


def available(names: Sequence[str]) -> str:
    """Return the end of a message that lists the allowed names, as many as suit a message."""
    if not names:
        return "None is available"
    rest = len(names) - MAX_NAMES
    return f"Available: {', '.join(names[:MAX_NAMES])}{f' and {rest} more' if rest > 0 else ''}"
