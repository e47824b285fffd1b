"""The optimizer with its schedule and clipping: its parameters and the length of its warm-up."""

from math import ceil
from typing import Any

from pydantic import ValidationError

from api.http.faults import abbreviated
from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import posted_optimizers, stage_pointer
from shared.spec import ClippingSpec, OptimizerSpec

RESERVED = frozenset({"learning_rate", "schedule", "gradient_clipping"})
DEFAULTS = OptimizerSpec.model_fields


def choose(draft: Draft) -> None:
    """Fill in the optimizer of the job."""
    draft.filled["optimizer"] = filled_optimizer(draft, draft.posted("optimizer"), "/optimizer")


def filled_optimizer(draft: Draft, raw: Any, at: str) -> dict[str, Any] | None:
    """Fill in an optimizer with its schedule and clipping; None where the optimizer has faults.

    Args:
        draft: the draft that records the faults.
        raw: a name, or an object with a name and parameters.
        at: the pointer of the optimizer.
    """
    chosen = draft.choice("optimizers", raw, at, reserved=RESERVED)
    given = raw if isinstance(raw, dict) else {}
    schedule = given.get("schedule", DEFAULTS["schedule"].default.name)
    rate = given.get("learning_rate", DEFAULTS["learning_rate"].default)
    filled = {
        "learning_rate": float(rate) if isinstance(rate, int) else rate,
        "schedule": draft.choice("schedules", schedule, f"{at}/schedule"),
        "gradient_clipping": _clipping(given.get("gradient_clipping")),
    }
    return chosen and {**chosen, **filled}


def check_requirements(draft: Draft) -> None:
    """Check the parameters that have an effect only together with another parameter."""
    for at, optimizer in posted_optimizers(draft):
        requires = draft.facts_of("optimizers", optimizer).get("requires", {})
        for parameter, other in requires.items():
            if optimizer[parameter] and not optimizer[other]:
                text = f"is {abbreviated(optimizer[parameter])}, which has no effect while {other} "
                text += f"is {abbreviated(optimizer[other])}; set {other}, or leave it out"
                draft.fault(f"{at}/{parameter}", text)


def check_warm_up(draft: Draft) -> None:
    """Check that each warm-up ends before its stage does."""
    train = draft.filled.get("dataset", {}).get("train")
    if draft.spec is None or train is None:
        return
    steps = ceil(train / draft.spec.training.batch_size)
    if draft.spec.fine_tuning is None:
        updates = steps * draft.spec.training.epochs
        _check_warm_up(draft, draft.filled["optimizer"], "/optimizer", "job", updates)
        return
    filled_stages = draft.filled["fine_tuning"]["stages"]
    for index, stage in enumerate(draft.spec.fine_tuning.stages):
        optimizer = filled_stages[index]["optimizer"]
        at = "/optimizer" if stage.optimizer is None else stage_pointer(index, "optimizer")
        _check_warm_up(draft, optimizer, at, f"stage {stage.name}", steps * stage.epochs)


def _check_warm_up(draft: Draft, optimizer: Any, at: str, whole: str, updates: int) -> None:
    warmup = ((optimizer or {}).get("schedule") or {}).get("warmup", 0)
    if warmup > updates:
        text = f"is {warmup}; it must be at most {updates}, the updates of the {whole}. "
        draft.fault(f"{at}/schedule/warmup", f"{text}For a longer warm-up, train more epochs")


def _clipping(raw: Any) -> Any:
    """Return the posted kind of clipping; None where there is none or it has faults."""
    try:
        return raw and ClippingSpec.model_validate(raw).model_dump(exclude_none=True)
    except ValidationError:
        return None  # reported by the check of the structure
