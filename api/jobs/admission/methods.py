"""Architecture, initializer, regularizers and augmentation: whether they exist and fit the job."""

from collections.abc import Iterable
from typing import Any

from api.catalog.methods import Methods
from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from shared.datasets import ROTATION_TARGET
from shared.errors import Fault

#: The fields of an initializer that are not parameters of the method.
INITIALIZER_FIELDS = frozenset({"overrides"})


def choose_architecture(draft: Draft) -> None:
    """Fill in the architecture."""
    raw = draft.raw.get("architecture")
    draft.filled["architecture"] = draft.choice("architectures", raw, "/architecture")


def check_image_size(draft: Draft) -> None:
    """Check the image size against the bounds of the architecture."""
    if draft.spec is None:
        return
    architecture, size = draft.filled["architecture"], draft.filled["dataset"].get("image_size")
    if architecture is None or size is None:
        return
    bounds = draft.facts_of("architectures", architecture)["image_size"]
    minimum, maximum = bounds["minimum"], bounds.get("maximum")
    if size < minimum:
        limit = f"at least {minimum}"
    elif maximum is not None and size > maximum:
        limit = f"at most {maximum}"
    else:
        return
    text = f"is {size}; it must be {limit} for {architecture['name']}"
    draft.fault("/dataset/image_size", text)


def choose_initializer(draft: Draft) -> None:
    """Fill in the initializer and its overrides."""
    raw = draft.posted("initializer")
    chosen = draft.choice("initializers", raw, "/initializer", reserved=INITIALIZER_FIELDS)
    overrides = raw.get("overrides") if isinstance(raw, dict) else None
    filled: dict[str, Any] = {}
    for pattern, override in overrides.items() if isinstance(overrides, dict) else ():
        if draft.faults.is_full:
            break
        at = pointer("initializer", "overrides", pattern)
        filled[pattern] = draft.choice("initializers", override, at)
    draft.filled["initializer"] = chosen and {**chosen, "overrides": filled}


def choose_regularizers(draft: Draft) -> None:
    """Fill in the regularizers."""
    raw = draft.raw.get("regularizers", {})
    draft.filled["regularizers"] = draft.named("regularizers", raw, "/regularizers")


def check_regularized_task(draft: Draft) -> None:
    """Check that the task and the loss take the targets that regularizers make."""
    if draft.spec is None or draft.facts is None or draft.task is None:
        return
    loss, entries = draft.filled["loss"], draft.methods.catalog["regularizers"]
    fitting = draft.methods.with_fact("losses", "takes_probabilities")
    for name in draft.filled["regularizers"]:
        at = pointer("regularizers", name)
        if draft.task == "regression" and entries[name].get("needs_classes"):
            text = f"needs classes, but the loss {loss['name']} is for regression; leave it out"
            draft.fault(at, text)
        elif entries[name].get("makes_probabilities") and loss["name"] not in fitting:
            text = f"makes probabilities of the classes, which the loss {loss['name']} does not "
            draft.fault(at, f"{text}take; use {' or '.join(fitting)}, or leave it out")


def check_regularized_architecture(draft: Draft) -> None:
    """Check that the architecture has the parameters that regularizers set."""
    if draft.spec is None or draft.filled["architecture"] is None:
        return
    architecture = draft.filled["architecture"]
    for name in draft.filled["regularizers"]:
        parameters = draft.methods.catalog["regularizers"][name].get("sets", [])
        if parameters and not any(parameter in architecture for parameter in parameters):
            text = f"sets {' or '.join(parameters)}, but {architecture['name']} does not have it"
            draft.fault(pointer("regularizers", name), f"{text}; leave it out")


def choose_augmentation(draft: Draft) -> None:
    """Fill in the augmentation."""
    raw = draft.raw.get("augmentation", {})
    draft.filled["augmentation"] = draft.named("augmentations", raw, "/augmentation")


def check_augmentation(draft: Draft) -> None:
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
