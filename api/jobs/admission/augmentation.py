"""The augmentation, and whether the target survives it."""

from collections.abc import Iterable

from api.catalog.methods import Methods
from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from shared.datasets import ROTATION_TARGET
from shared.errors import Fault


def choose(draft: Draft) -> None:
    """Fill in the augmentation."""
    raw = draft.raw.get("augmentation", {})
    draft.filled["augmentation"] = draft.named("augmentations", raw, "/augmentation")


def check_target(draft: Draft) -> None:
    """Check that no augmentation changes the number that the job predicts."""
    if draft.spec is None or draft.facts is None:
        return
    target, names = draft.spec.dataset.target, draft.filled["augmentation"]
    draft.faults.extend(target_faults(target, names, draft.methods))


def target_faults(target: str | None, names: Iterable[str], methods: Methods) -> list[Fault]:
    """Return a fault for each augmentation that turns images whose angle is the target."""
    if target != ROTATION_TARGET:
        return []
    text = "changes the angle of the image, which is the target; leave it out"
    turning = methods.with_fact("augmentations", "turns")
    return [Fault(pointer("augmentation", name), text) for name in names if name in turning]
