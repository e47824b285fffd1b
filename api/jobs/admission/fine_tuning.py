"""Fine-tuning: what its stages inherit from the job, and the epochs of all of them."""

import re

from api.http.faults import abbreviated
from api.jobs.admission.draft import Draft
from api.jobs.admission.optimizer import filled_optimizer
from api.jobs.admission.stages import stage_pointer
from shared.spec import MAX_EPOCHS

#: The checkpoint of a job whose specification names none.
LAST = "last"
#: Where a fault leaves the epochs of a stage unknown.
EPOCHS = re.compile("/fine_tuning/stages/[0-9]+(/epochs)?$")


def fill_stages(draft: Draft) -> None:
    """Fill in each stage: by default, the job's optimizer and early stopping.

    Batch norm is frozen where the body comes with trained weights: with the statistics of other
    images, its features would no longer fit a head that has learned with the old statistics.
    """
    if draft.spec is None or draft.spec.fine_tuning is None:
        return
    filled, raw_stages = draft.filled, draft.raw["fine_tuning"]["stages"]
    default = "train" if filled["fine_tuning"]["weights"] is None else "frozen"
    for index, stage in enumerate(filled["fine_tuning"]["stages"]):
        raw = raw_stages[index]
        own = raw.get("optimizer") if isinstance(raw, dict) else None
        if own is None:
            stage["optimizer"] = filled["optimizer"] and dict(filled["optimizer"])
        else:
            at = stage_pointer(index, "optimizer")
            stage["optimizer"] = filled_optimizer(draft, own, at)
        if stage["early_stopping"] is None:
            stage["early_stopping"] = filled["training"]["early_stopping"]
        stage["batch_norm"] = stage["batch_norm"] or default


def fill_checkpoint(draft: Draft) -> None:
    """Fill in the checkpoint of the job that the weights are of: the last."""
    weights = (draft.filled.get("fine_tuning") or {}).get("weights")
    if weights and weights["job"] is not None and weights["checkpoint"] is None:
        weights["checkpoint"] = LAST


def fill_epochs(draft: Draft) -> None:
    """Fill in the epochs of the job: the sum over its stages."""
    if draft.spec is None or draft.spec.fine_tuning is None or draft.faults.match(EPOCHS):
        return
    total = sum(stage.epochs for stage in draft.spec.fine_tuning.stages)
    training = draft.raw.get("training")
    epochs = training.get("epochs", total) if isinstance(training, dict) else total
    if epochs != total:
        text = f"is {abbreviated(epochs)}, but the stages have {total} together; leave it out"
        draft.fault("/training/epochs", text)
    if total > MAX_EPOCHS:
        text = f"have {total:,} epochs together; at most {MAX_EPOCHS:,} are allowed"
        draft.fault("/fine_tuning/stages", text)
    draft.filled["training"]["epochs"] = total
