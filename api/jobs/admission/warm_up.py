"""Whether warm-ups end: a rate that rises beyond the last update never is the learning rate."""

from math import ceil
from typing import Any

from api.catalog.methods import Faults
from api.jobs.admission.fine_tuning import AT
from shared.errors import Fault
from shared.spec import JobSpec


def check(spec: JobSpec, filled: dict[str, Any], faults: Faults) -> None:
    """Add every warm-up that is longer than a stage it is for.

    Args:
        spec: its structure.
        filled: what is filled in of it.
        faults: where faults are added.
    """
    train = filled["dataset"].get("train")
    if train is None:
        return
    steps = ceil(train / spec.training.batch_size)
    if spec.fine_tuning is None:
        _compare(filled["optimizer"], "/optimizer", steps * spec.training.epochs, "job", faults)
        return
    stages = zip(spec.fine_tuning.stages, filled["fine_tuning"]["stages"], strict=True)
    for place, (asked, stage) in enumerate(stages):
        at = "/optimizer" if asked.optimizer is None else f"{AT}/stages/{place}/optimizer"
        whole = f"stage {asked.name}"
        _compare(stage["optimizer"], at, steps * asked.epochs, whole, faults)


def _compare(
    optimizer: dict[str, Any] | None, at: str, updates: int, whole: str, faults: Faults
) -> None:
    warmup = ((optimizer or {}).get("schedule") or {}).get("warmup", 0)
    if warmup > updates:
        text = f"is {warmup}, and the {whole} makes {updates} updates, so the rate never reaches "
        text += f"learning_rate: take at most {updates}, or more epochs"
        faults.append(Fault(f"{at}/schedule/warmup", text))
