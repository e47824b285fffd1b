"""The number of samples in each split of a dataset."""

from collections.abc import Mapping

from shared.datasets import DatasetFacts
from shared.errors import Fault
from shared.spec import DatasetSpec

#: Of the samples of a dataset without its own test split; training gets the rest.
PERCENT = {"validation": 15, "test": 15}

#: Split → number of samples; requested counts are None where the default is wanted.
Counts = dict[str, int]
Requested = Mapping[str, int | None]


def fill_splits(spec: DatasetSpec, facts: DatasetFacts) -> tuple[Counts, list[Fault]]:
    """Fill in how many samples each split has; empty where that is impossible.

    The default is 70/15/15 % of the samples, or the dataset's own test split and 85/15 % of the
    rest. Requested counts are taken first. Then validation and test get at most their 15 %, and
    training gets all that is left.
    """
    requested = {"train": spec.train, "validation": spec.validation, "test": spec.test}
    if facts.synthetic:
        counts, faults = _of_synthetic(requested, facts)
    elif facts.test or facts.validation:
        counts, faults = _with_own_splits(requested, facts)
    else:
        counts, faults = _distribute(requested, facts.train)
    return ({} if faults else {split: counts[split] for split in requested}), faults


def _of_synthetic(requested: Requested, facts: DatasetFacts) -> tuple[Counts, list[Fault]]:
    """Return the counts of a dataset that is generated in the requested size."""
    counts = {
        split: default if count is None else count
        for (split, count), default in zip(requested.items(), facts.default_counts, strict=True)
    }
    total = sum(counts.values())
    if total <= facts.max_images:
        return counts, []
    largest = max(requested, key=lambda split: requested[split] or 0)
    text = f"is {counts[largest]}, and the splits have {total} samples together; "
    return counts, [_fault(largest, f"{text}at most {facts.max_images} are generated")]


def _with_own_splits(requested: Requested, facts: DatasetFacts) -> tuple[Counts, list[Fault]]:
    """Return the counts of a dataset with a test or validation split: others share the rest."""
    own = {"validation": facts.validation, "test": facts.test}
    own = {split: available for split, available in own.items() if available}
    others = {split: count for split, count in requested.items() if split not in own}
    counts, faults = _distribute(others, facts.train)
    for split, available in own.items():
        count = requested[split] or available
        if count > available:
            text = f"is {count}; it must be at most {available}, the {split} split of {facts.name}"
            faults.append(_fault(split, text))
        counts[split] = count
    return counts, faults


def _distribute(requested: Requested, available: int) -> tuple[Counts, list[Fault]]:
    """Distribute samples over splits; requested counts come first."""
    left, counts, faults = available, Counts(), list[Fault]()
    for split, count in requested.items():
        if count is None:
            continue
        if count > left:
            rest = "all samples"
            if counts:
                rest = f"what {_enumerated(counts)} leaves of {available} samples"
            text = f"is {count}; it must be at most {left}, {rest}"
            faults.append(_fault(split, text))
        else:
            counts[split] = count
            left -= count
    missing = [split for split, count in requested.items() if count is None]
    if faults:
        return counts, faults
    if left < len(missing):
        *earlier, split = counts
        after = f" after {_enumerated({name: counts[name] for name in earlier})}" if earlier else ""
        text = f"is {counts[split]}{after}, which leaves {left} of {available} samples for "
        text += f"{' and '.join(missing)}; at least {len(missing)} must be left"
        return counts, [_fault(split, text)]
    return counts | _defaults(requested, missing, left, available), []


def _defaults(requested: Requested, missing: list[str], left: int, available: int) -> Counts:
    """Share what is left among the splits without a requested count."""
    percent = {split: PERCENT[split] for split in requested if split != "train"}
    percent["train"] = 100 - sum(percent.values())
    total_percent = sum(percent[split] for split in missing)
    counts = Counts()
    for split in missing:
        if split != "train":
            share = min(available * percent[split] // 100, left * percent[split] // total_percent)
            counts[split] = max(1, share)
    if "train" in missing:
        counts["train"] = left - sum(counts.values())
    return counts


def _fault(split: str, text: str) -> Fault:
    return Fault(f"/dataset/{split}", text)


def _enumerated(counts: Counts) -> str:
    return " and ".join(f"{split} {count}" for split, count in counts.items())
