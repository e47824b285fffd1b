"""Ids of jobs with their owners, of which an error names only what its reader may see."""

from collections.abc import Iterable, Iterator


class OwnedIds:
    """Ids in their order."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def shown(self, only_owner: str | None, *, limit: int) -> list[str]:
        """Return the first ids of one owner; of all owners if there is None."""
        ids = [each for each, owner in self._pairs if only_owner in (None, owner)]
        return ids[:limit]

    def text(self, only_owner: str | None, *, limit: int) -> str:
        """Return the ids as a sentence has them, and how many more there are."""
        shown = self.shown(only_owner, limit=limit)
        more = len(self) - len(shown)
        if not shown:
            return f"{more} jobs of others" if more > 1 else "a job of somebody else"
        return ", ".join(shown) + (f" and {more} more" if more else "")
