"""Warnings: what a specification is allowed to have and probably has by mistake.

Each check reads a draft that has no faults. A warning must be surely odd: it is read by someone who
has just submitted a job, and a false alarm would teach them to ignore the next.
"""

from collections.abc import Iterable, Iterator
from math import ceil
from typing import Any

from api.catalog.metrics import metric_of
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import posted_optimizers, posted_parts, stage_pointer


def check_batch_size(draft: Draft) -> None:
    """Warn of a batch that is larger than the training split, or less than the devices."""
    batch_size, train = draft.filled["training"]["batch_size"], draft.filled["dataset"]["train"]
    if batch_size > train:
        samples = "1 sample" if train == 1 else f"{train} samples"
        text = f"is {batch_size}, but the training split has {samples}, so that each epoch "
        suggestion = f"Use a smaller batch, at most {train}, or more training samples."
        draft.warn("/training/batch_size", text + "is a single step", suggestion)
    gpus = draft.filled["resources"]["gpus"]
    if batch_size < gpus:
        text = (
            f"is {batch_size}, less than the {gpus} devices, so that all compute the same samples"
        )
        suggestion = f"Use a batch of at least {gpus} samples, or fewer devices."
        draft.warn("/training/batch_size", text, suggestion)


def check_training_split(draft: Draft) -> None:
    """Warn of a training split in which a class has no sample."""
    train, classes = draft.filled["dataset"]["train"], draft.facts and len(draft.facts.classes)
    if classes and train < classes:
        text = f"is {train}, less than the {classes} classes, so that some are never trained"
        draft.warn("/dataset/train", text, "Use several samples of each class.")


def check_parameters(draft: Draft) -> None:
    """Warn of parameters with a value that the catalogue calls unusual."""
    for at, slot, method in _methods(draft):
        entry = draft.facts_of(slot, method)
        for name, bound in entry.get("unusual_from", {}).items():
            if method[name] >= bound:
                text = f"is {abbreviated(method[name])}; values of {abbreviated(bound)} and more "
                text += f"are unusual for {method['name']} and can make the training fail"
                default = entry["parameters"]["properties"].get(name, {}).get("default", 0.01)
                suggestion = f"Try {abbreviated(default)} first."
                draft.warn(f"{at}/{name}", text, suggestion)
        for name, bound in entry.get("unusual_below", {}).items():
            if 0 < method[name] < bound:
                text = f"is {abbreviated(method[name])}; values below {abbreviated(bound)} are "
                text += f"unusual for {method['name']}, whose `{name}` is not a fraction"
                default = entry["parameters"]["properties"][name]["default"]
                draft.warn(f"{at}/{name}", text, f"Try {abbreviated(default)} first.")


def check_early_stopping(draft: Draft) -> None:
    """Warn of early stopping that cannot stop, or that does not monitor the validation split."""
    for at, rule, epochs in _longest(posted_parts(draft, "early_stopping")):
        # The first epoch is always the best so far, so `patience` more end with the stage.
        if rule["patience"] >= epochs and not rule["restore_best"]:
            text = f"is {rule['patience']}, but there are {epochs} epochs, so that early stopping "
            suggestion = "Use a smaller patience or more epochs, or leave out early stopping."
            draft.warn(f"{at}/patience", text + "has no effect", suggestion)
        metric = metric_of(draft.methods.catalog, rule["monitor"]) or {}
        if metric.get("unit") == "fraction" and rule["min_delta"] >= 1:
            text = f"is {abbreviated(rule['min_delta'])}, but {rule['monitor']} is between 0 and 1 "
            suggestion = "Use a fraction such as 0.001."
            draft.warn(f"{at}/min_delta", text + "and never improves by more", suggestion)
        if metric.get("split") != "validation":
            text = f"is {quoted(rule['monitor'])}, which is not measured on the validation split "
            suggestion = "Monitor a metric of the validation split, for example val_loss."
            draft.warn(f"{at}/monitor", text + "and does not show overfitting", suggestion)


def check_schedule(draft: Draft) -> None:
    """Warn of a warm-up over most of the training, and of a plateau that is never reached."""
    steps = ceil(draft.filled["dataset"]["train"] / draft.filled["training"]["batch_size"])
    for at, optimizer, epochs in _longest(posted_parts(draft, "optimizer")):
        schedule, updates = optimizer["schedule"], steps * epochs
        warmup = schedule.get("warmup", 0)
        if 2 * warmup > updates:
            text = f"is {warmup}, more than half of the {updates} updates of the training"
            suggestion = f"Usual is a tenth, {max(1, updates // 10)}, or less."
            draft.warn(f"{at}/schedule/warmup", text, suggestion)
        if "monitor" in schedule and schedule["patience"] >= epochs:
            text = f"is {schedule['patience']}, but there are {epochs} epochs, so that the "
            suggestion = "Use a smaller patience or more epochs."
            draft.warn(f"{at}/schedule/patience", text + "learning rate never falls", suggestion)


def check_batch_norm(draft: Draft) -> None:
    """Warn of batch norm that is to be trained in a stage that freezes it with the body."""
    fine_tuning = draft.spec.fine_tuning if draft.spec is not None else None
    for index, stage in enumerate(fine_tuning.stages if fine_tuning else ()):
        if stage.train == "head" and stage.batch_norm == "train":
            text = 'is "train", but the stage trains only the head: the body and its batch norm '
            suggestion = 'Leave it out, or train more layers ("train": "all").'
            draft.warn(stage_pointer(index, "batch_norm"), text + "stay frozen", suggestion)


def check_checkpoints(draft: Draft) -> None:
    """Warn of a series of checkpoints without any."""
    epochs = draft.filled["training"]["epochs"]
    for index, rule in enumerate(draft.filled["checkpoints"]):
        if rule.get("every_epochs", 0) > epochs:
            text = f"is {rule['every_epochs']}, but there are {epochs} epochs, so that the rule "
            at = pointer("checkpoints", index, "every_epochs")
            draft.warn(at, text + "keeps no checkpoint", "Use at most the number of epochs.")


def check_top_k(draft: Draft) -> None:
    """Warn of a top-k accuracy that is always 1."""
    classes = len(draft.facts.classes) if draft.facts else 0
    for index, k in enumerate(draft.filled["metrics"]["top_k"]):
        if k == classes > 1:
            text = f"is {k}, the number of classes, so that this accuracy is always 1"
            draft.warn(pointer("metrics", "top_k", index), text, "Use a smaller k.")


def _methods(draft: Draft) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the pointer, the slot and the parameters of methods, with their names."""
    for slot, field in (("regularizers", "regularizers"), ("augmentations", "augmentation")):
        for name, parameters in draft.filled[field].items():
            yield pointer(field, name), slot, {**parameters, "name": name}
    for at, optimizer in posted_optimizers(draft):
        yield at, "optimizers", optimizer


def _longest(
    parts: Iterable[tuple[str, dict[str, Any] | None, int]],
) -> list[tuple[str, dict[str, Any], int]]:
    """Return each part once, with the epochs of the longest stage that has it."""
    longest: dict[str, tuple[dict[str, Any], int]] = {}
    for at, part, epochs in parts:
        if part is not None:
            longest[at] = (part, max(epochs, longest[at][1] if at in longest else 0))
    return [(at, part, epochs) for at, (part, epochs) in longest.items()]
