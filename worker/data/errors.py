"""What can go wrong on the way to a data set."""

from collections.abc import Sequence


class SourceFailed(Exception):
    """One way to a data set did not work; the message says why, without paths of this machine."""


class DatasetMissing(Exception):
    """No way to the data set worked.

    Args:
        name: of the data set.
        tried: each way with the reason why it failed, in the order they were tried.
        hint: what a person can do about it.
    """

    def __init__(self, name: str, tried: Sequence[tuple[str, str]], hint: str) -> None:
        self.name = name
        self.tried = tuple(tried)
        self.hint = hint
        reasons = "; ".join(f"{way}: {why}" for way, why in self.tried)
        super().__init__(f"The data set {name} could not be had. {reasons}".rstrip())
