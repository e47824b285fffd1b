"""The errors of reading a data set."""

from collections.abc import Sequence


class SourceFailed(Exception):
    """A source of a data set failed; the message states why, without paths of this machine."""


class DatasetMissing(Exception):
    """Every source of a data set failed.

    Args:
        name: the data set.
        tried: each source with the reason of its failure, in the order of the attempts.
        hint: what a person can do.
    """

    def __init__(self, name: str, tried: Sequence[tuple[str, str]], hint: str) -> None:
        self.name = name
        self.tried = tuple(tried)
        self.hint = hint
        reasons = "; ".join(f"{source}: {reason}" for source, reason in self.tried)
        super().__init__(f"The data set {name} is not available. {reasons}".rstrip())
