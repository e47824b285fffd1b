"""A warning about splits of an upload that have no sample of a class."""

from collections.abc import Sequence

from api.http.faults import quoted
from api.jobs.admission.draft import Draft

MAX_LISTED = 3


def check(draft: Draft) -> None:
    """Warn of a split, drawn or its own, in which a class has no sample."""
    facts = draft.facts
    if facts is None or not facts.classes:
        return
    for split, sizes in facts.class_sizes.items():
        count = draft.filled["dataset"][split]
        if split == "train" and count < len(facts.classes):
            continue  # another warning says so
        shares = _shares(sizes, count)
        absent = [name for name, share in zip(facts.classes, shares, strict=True) if not share]
        if absent:
            listed = ", ".join(map(quoted, absent[:MAX_LISTED]))
            more = f" and {len(absent) - MAX_LISTED:,} more" if len(absent) > MAX_LISTED else ""
            text = f"is {count}, and the split has no sample of {listed}{more}"
            draft.warn(f"/dataset/{split}", text, "Use more samples, or add images to the class.")


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """Return how many samples each class contributes: proportional, largest remainder.

    As `worker.data.splits` draws them.
    """
    total = max(1, sum(sizes))
    shares = [size * count // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda label: -(sizes[label] * count % total))
    for label in by_remainder[: count - sum(shares)]:
        shares[label] += 1
    return shares
