"""The parts of an analysis that are done, by name: a later attempt does not compute them again.

A part is a group of tensors. It may only depend on the request and on its name, so an analysis that
is resumed has the same result, bit for bit, as an undisturbed one on the same machine.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

Part = Mapping[str, Tensor]


def _ignore() -> None:
    """Save nothing."""


class PartialResults:
    """Parts by name.

    Args:
        known: of an earlier attempt.
    """

    def __init__(self, known: Mapping[str, Part] | None = None) -> None:
        self.parts: dict[str, Part] = dict(known or {})
        #: Whether something was computed here: until then, parts of an earlier attempt are read.
        self.has_computed = False
        #: Called after each change.
        self.on_change: Callable[[], None] = _ignore

    def get(self, name: str) -> Part | None:
        """Return a part; None where it is not known."""
        return self.parts.get(name)

    def put(self, name: str, part: Part, *, instead_of: str | None = None) -> None:
        """Keep a part, also in place of an earlier one. Its tensors must not change any more.

        Args:
            name: of the part.
            part: its tensors by name.
            instead_of: another part, which is no longer needed.
        """
        self.parts[name] = part
        if instead_of is not None:
            self.parts.pop(instead_of, None)
        self.has_computed = True
        self.on_change()

    def once(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return the only tensor of a part, which is computed where it is not known."""
        known = self.parts.get(name)
        if known is None:
            known = {"": compute()}
            self.put(name, known)
        return known[""]
