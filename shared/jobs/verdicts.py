"""The verdict on a patch, from the validation losses of three trainings after the same epoch."""

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["verified", "refuted", "inconclusive"]
#: The least relative decrease of the loss that counts.
MIN_GAIN = 0.05
#: The difference between two seeds has to be exceeded by this factor.
NOISE_FACTOR = 2.0
#: The least decrease where the difference between two seeds is not known.
MIN_GAIN_WITHOUT_NOISE = 0.2


@dataclass(frozen=True)
class Losses:
    """Validation losses after the same epoch; infinite after a divergence, None where unknown."""

    #: Of the job in which the finding was made.
    parent: float | None
    #: Of the null fork: the same job with another seed.
    null: float | None
    #: Of the fork with the patch and the seed of the parent.
    fork: float


@dataclass(frozen=True)
class Decision:
    """A verdict, the relative decrease of the loss, and why."""

    verdict: Verdict
    gain: float | None
    detail: str


def decide(losses: Losses, *, epoch: int, is_gone: bool, new_errors: list[str]) -> Decision:
    """Return the verdict.

    A patch is verified if its finding is gone, no other error is open, and the loss is lower than
    the parent's by more than both the least gain and twice the difference between two seeds. It is
    refuted if the loss is higher by that much, or if it diverges and neither the parent's nor the
    null fork's does.

    Args:
        losses: of the three trainings.
        epoch: after which they were measured.
        is_gone: whether the fork lacks the finding.
        new_errors: rules with open errors in the fork that the parent does not have.
    """
    reference = losses.null if losses.parent is None else losses.parent
    if reference is None:
        text = f"Neither the job nor its null fork has a validation loss after epoch {epoch}."
        return Decision("inconclusive", None, text)
    if math.isinf(losses.fork):
        text = "The training with the patch diverged"
        if math.inf in (losses.parent, losses.null):
            seeds = "both seeds" if losses.parent == losses.null else "one seed"
            text += f", as the job does without it with {seeds}."
            return Decision("inconclusive", None, text)
        return Decision("refuted", None, f"{text}.")
    gain, margin = _gain(reference, losses.fork), _margin(losses)
    text = f"val_data_loss after epoch {epoch} is {losses.fork:.4g} instead of {reference:.4g}"
    if gain < -margin:
        return Decision("refuted", gain, f"{text}.")
    if math.isinf(margin):
        doubt = ", but with another seed the job itself trains or diverges otherwise"
    elif gain <= margin:
        doubt = f"; a change counts from {margin:.0%}, by the difference between two seeds"
    elif not is_gone:
        doubt = ", but the finding is still there"
    elif new_errors:
        doubt = f", but there is another error: {', '.join(new_errors)}"
    else:
        return Decision("verified", gain, f"{text}, and the finding is gone.")
    return Decision("inconclusive", gain, f"{text}{doubt}.")


def _gain(reference: float, loss: float) -> float:
    """Return the relative decrease of a loss; 1 from a training that diverged."""
    if math.isinf(reference):
        return 1.0
    return (reference - loss) / max(abs(reference), 1e-12)


def _margin(losses: Losses) -> float:
    """Return the relative change of the loss that counts."""
    if losses.parent is None or losses.null is None:
        return MIN_GAIN_WITHOUT_NOISE
    if math.isinf(losses.parent) or math.isinf(losses.null):
        # With one seed it diverges and with the other it does not: any change may be chance.
        return MIN_GAIN if losses.parent == losses.null else math.inf
    noise = abs(losses.null - losses.parent) / max(abs(losses.parent), 1e-12)
    return max(MIN_GAIN, NOISE_FACTOR * noise)
