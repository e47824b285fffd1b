"""The number of samples in each split of a data set."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shared.datasets import DatasetFacts
from shared.errors import Fault
from shared.spec import DatasetSpec

VALIDATION_PERCENT = 15
TEST_PERCENT = 15


@dataclass(frozen=True)
class SplitCounts:
    """The number of samples in each split."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """The number of samples in all three splits."""
        return self.train + self.validation + self.test


@dataclass(frozen=True)
class SplitFault:
    """One fault in the requested counts; `field` is train, validation or test."""

    field: str
    detail: str


class SplitError(Exception):
    """The requested counts cannot be met; `faults` has each of them."""

    def __init__(self, faults: list[SplitFault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


def fill_splits(spec: DatasetSpec, facts: DatasetFacts) -> tuple[dict[str, int], list[Fault]]:
    """Fill in how many samples each split has; empty where that is impossible."""
    try:
        counts = resolve_splits(facts, train=spec.train, validation=spec.validation, test=spec.test)
    except SplitError as error:
        return {}, [Fault(f"/dataset/{fault.field}", fault.detail) for fault in error.faults]
    return asdict(counts), []


def resolve_splits(
    facts: DatasetFacts,
    *,
    train: int | None = None,
    validation: int | None = None,
    test: int | None = None,
) -> SplitCounts:
    """Return the counts of all splits, with a default where the requested count is None.

    The default is 70/15/15 % of the samples, or the data set's own test split and 85/15 % of the
    rest. Explicit counts are taken first. Then validation and test get at most their 15 %, and
    train gets all that is left.

    Raises:
        SplitError: with every fault at once.
    """
    requested = {"train": train, "validation": validation, "test": test}
    faults = [
        SplitFault(field, f"is {count}; it must be at least 1")
        for field, count in requested.items()
        if count is not None and count < 1
    ]
    if faults:
        raise SplitError(faults)
    if facts.synthetic:
        return _count_synthetic(facts, requested)
    if not facts.test:
        return SplitCounts(**_distribute(facts.train, requested, faults))
    own_test = requested.pop("test") or facts.test
    if own_test > facts.test:
        detail = f"is {own_test}; the test split of {facts.name} has {facts.test} samples"
        faults.append(SplitFault("test", detail))
    return SplitCounts(**_distribute(facts.train, requested, faults), test=own_test)


def _count_synthetic(facts: DatasetFacts, requested: Mapping[str, int | None]) -> SplitCounts:
    """Return the counts of a data set that is generated in the requested size.

    Raises:
        SplitError: more samples than are generated.
    """
    counts = SplitCounts(
        **{
            field: default if count is None else count
            for (field, count), default in zip(requested.items(), facts.default_counts, strict=True)
        }
    )
    if counts.total > facts.max_images:
        largest = max(requested, key=lambda field: requested[field] or 0)
        detail = (
            f"is {getattr(counts, largest)}, and the splits have {counts.total} samples "
            f"together; at most {facts.max_images} are generated"
        )
        raise SplitError([SplitFault(largest, detail)])
    return counts


def _distribute(
    available: int, requested: Mapping[str, int | None], faults: list[SplitFault]
) -> dict[str, int]:
    """Distribute `available` samples over the requested splits.

    Raises:
        SplitError: with the faults found here and those in `faults`.
    """
    left, counts = available, dict[str, int]()
    for field, count in requested.items():
        if count is None:
            continue
        if count > left:
            after = f" after {_enumerate(counts)}" if counts else ""
            detail = f"is {count}; {left} of {available} samples are left{after}"
            faults.append(SplitFault(field, detail))
        else:
            counts[field] = count
            left -= count
    missing = [field for field, count in requested.items() if count is None]
    if not faults and left < len(missing):
        *earlier, field = counts
        after = f" after {_enumerate({name: counts[name] for name in earlier})}" if earlier else ""
        detail = (
            f"is {counts[field]}{after}, which leaves {left} of {available} samples for "
            f"{' and '.join(missing)}; at least {len(missing)} must be left"
        )
        faults.append(SplitFault(field, detail))
    if faults:
        raise SplitError(faults)
    percent = {"validation": VALIDATION_PERCENT, "test": TEST_PERCENT}
    percent["train"] = 100 - sum(percent[field] for field in requested if field != "train")
    total_percent = sum(percent[field] for field in missing)
    for field in missing:
        if field != "train":
            share = min(available * percent[field] // 100, left * percent[field] // total_percent)
            counts[field] = max(1, share)
    if "train" in missing:
        counts["train"] = available - sum(counts.values())
    return counts


def _enumerate(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{field} {count}" for field, count in counts.items())
