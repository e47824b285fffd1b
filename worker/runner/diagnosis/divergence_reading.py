"""What can be said of a training that is not finite any more."""

import math
from collections.abc import Sequence

from worker.diagnostics.readings import Divergence, LayerReading, Record
from worker.training.divergence import Diverged
from worker.training.experiment import Experiment


def divergence_of(
    error: Diverged, experiment: Experiment, record: Record, layers: Sequence[LayerReading]
) -> Divergence:
    """Return where a training diverged, and the last finite values before it.

    Args:
        error: what ended the training.
        experiment: the job's.
        record: what was measured before.
        layers: of a forward pass with the weights as they are now, in its order.
    """
    names = [n for n, p in experiment.model.named_parameters() if p.requires_grad]
    norms = error.values[-1].gradient_norms if error.values else ()
    infinite = [n for n, norm in zip(names, norms, strict=False) if not math.isfinite(norm)]
    losses = [step.data_loss for step in record.steps if math.isfinite(step.data_loss)]
    finite = [step.gradient_norm for step in record.steps if math.isfinite(step.gradient_norm)]
    return Divergence(
        step=error.step,
        what=error.what,
        tensor=infinite[0] if infinite and len(norms) == len(names) else None,
        layer=next((layer.name for layer in layers if not math.isfinite(layer.deviation)), None),
        last_loss=losses[-1] if losses else None,
        last_norm=finite[-1] if finite else None,
        learning_rate=error.values[-1].learning_rate if error.values else None,
        precision=experiment.precision,
    )
