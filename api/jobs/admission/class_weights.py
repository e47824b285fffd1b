"""The weights of classes in the loss."""

from typing import Any

from api.catalog.hints import spelling_hint
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from shared.spec.loss import BALANCED, MAX_CLASS_WEIGHT, MIN_CLASS_WEIGHT

#: The fields of a loss that are not parameters of the method.
LOSS_FIELDS = frozenset({"class_weights"})
AT = "/loss/class_weights"


def fill(draft: Draft) -> None:
    """Check the class weights, and fill in the weight of every class that is left out: 1."""
    if draft.spec is None or draft.facts is None or draft.task is None:
        return
    weights = draft.spec.loss.class_weights
    if weights is None:
        return
    if draft.task == "regression":
        text = f"needs classes, but the loss {draft.filled['loss']['name']} is for regression; "
        draft.fault(AT, text + "leave it out")
        return
    classes = draft.facts.classes
    if weights != BALANCED and classes:
        if _has_faults(draft, weights, classes):
            return
        weights = {name: float(weights.get(name, 1)) for name in classes}
        if not any(weights.values()):
            draft.fault(AT, "is 0 for every class; at least one weight must be greater than 0")
    draft.filled["loss"]["class_weights"] = weights


def _has_faults(draft: Draft, weights: dict[str, Any], classes: tuple[str, ...]) -> bool:
    """Check that each name is a class and each weight a number within its bounds."""
    has_faults = False
    for name, weight in weights.items():
        if draft.faults.is_full:
            break
        at = pointer("loss", "class_weights", name)
        if name not in classes:
            text = f"{quoted(name)} is not a class. {spelling_hint(name, classes)}"
        elif isinstance(weight, bool) or not isinstance(weight, int | float):
            text = f"is {abbreviated(weight)}; it must be a number"
        elif not 0 <= weight <= MAX_CLASS_WEIGHT:
            limit = f"{MAX_CLASS_WEIGHT:,.0f}"
            text = f"is {abbreviated(weight)}; it must be at least 0 and at most {limit}"
        elif 0 < weight < MIN_CLASS_WEIGHT:
            text = f"is {abbreviated(weight)}; it must be 0, or at least {MIN_CLASS_WEIGHT:f}"
        else:
            continue
        has_faults = True
        draft.fault(at, text)
    return has_faults
