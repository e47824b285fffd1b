"""The task, classification or regression: its loss and its top-k accuracies."""

from api.jobs.admission.class_weights import LOSS_FIELDS
from api.jobs.admission.draft import Draft

#: `JobSpec` has the default of a classification.
DEFAULT_REGRESSION_LOSS = "l2"
#: Values above the number of classes are left out.
DEFAULT_TOP_K = (1, 5)


def choose_loss(draft: Draft) -> None:
    """Fill in the loss; without one, the default for the target."""
    dataset = draft.raw.get("dataset")
    target = dataset.get("target") if isinstance(dataset, dict) else None
    raw = draft.posted("loss")
    facts = draft.facts
    is_number = facts is not None and (target or facts.target) in facts.number_targets
    if "loss" not in draft.raw and is_number:
        raw = DEFAULT_REGRESSION_LOSS
    draft.filled["loss"] = draft.choice("losses", raw, "/loss", reserved=LOSS_FIELDS)


def check_loss(draft: Draft) -> None:
    """Check that the loss is for the target, and for as many classes."""
    if draft.spec is None or draft.facts is None or draft.task is None:
        return
    name, classes = draft.filled["loss"]["name"], len(draft.facts.classes)
    losses = draft.methods.catalog["losses"]
    required = "classification" if classes else "regression"
    fitting = sorted(loss for loss in losses if draft.methods.task(loss) == required)
    if draft.task != required:
        target = "classes" if classes else "a number"
        text = f"{name} is for {draft.task}, but the target of {draft.facts.name} is {target}; "
        text += f"use one of {', '.join(fitting)}"
        if classes and draft.facts.number_targets:
            text += f", or set dataset.target to {' or '.join(draft.facts.number_targets)}"
        draft.fault("/loss/name", text)
    only = losses[name].get("classes")
    if only is not None and classes and classes != only:
        others = [loss for loss in fitting if "classes" not in losses[loss]]
        text = f"{name} is for {only} classes, but {draft.facts.name} has {classes}; "
        draft.fault("/loss/name", text + f"use {' or '.join(others)}")


def fill_top_k(draft: Draft) -> None:
    """Fill in the top-k accuracies, each k once, and check them against the classes."""
    if draft.spec is None or draft.facts is None:
        return
    classes, top_k = len(draft.facts.classes), draft.spec.metrics.top_k
    if top_k is None:
        draft.filled["metrics"]["top_k"] = [k for k in DEFAULT_TOP_K if k <= classes]
        return
    if top_k and not classes:
        text = "is for classification, but the target is a number; leave it out"
        draft.fault("/metrics/top_k", text)
    for index, k in enumerate(top_k):
        if classes and k > classes:
            text = f"is {k}; it must be at most {classes}, the number of classes"
            draft.fault(f"/metrics/top_k/{index}", text)
    draft.filled["metrics"]["top_k"] = list(dict.fromkeys(top_k))
