"""The splits of a dataset: how many samples each gets."""

from shared.datasets import DatasetFacts, SplitsRefused, resolve_splits
from shared.errors import Fault
from shared.spec import DatasetSpec


def fill_splits(spec: DatasetSpec, facts: DatasetFacts) -> tuple[dict[str, int], list[Fault]]:
    """Fill in how many samples each split has; empty where that is impossible."""
    try:
        counts = resolve_splits(facts, train=spec.train, validation=spec.validation, test=spec.test)
    except SplitsRefused as refused:
        return {}, [Fault(f"/dataset/{fault.field}", fault.message) for fault in refused.faults]
    return {"train": counts.train, "validation": counts.validation, "test": counts.test}, []
