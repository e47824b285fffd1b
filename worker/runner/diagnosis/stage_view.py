"""A stage as rules see it."""

from typing import Any

from worker.diagnostics.view import StageView
from worker.training.experiment import Experiment
from worker.training.parameters import has_batch_norm


def stage_view(experiment: Experiment, index: int, spec: dict[str, Any]) -> StageView:
    """Return the view of a stage; the last stage at the end of the training."""
    index = min(index, len(experiment.stages) - 1)
    stage = experiment.stages[index]
    fine_tuning = spec.get("fine_tuning")
    optimizer = fine_tuning["stages"][index]["optimizer"] if fine_tuning else spec["optimizer"]
    schedule = (optimizer or {}).get("schedule") or {}
    stopping = stage.early_stopping
    return StageView(
        name=stage.name,
        index=index,
        epochs=stage.epochs,
        steps_per_epoch=experiment.steps_of_epoch(stage),
        batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        warmup=schedule.get("warmup", 0),
        is_partial=stage.first is not None or stage.keeps_statistics,
        has_batch_norm=has_batch_norm(experiment.model),
        is_clipped=stage.clipping is not None,
        restores_best=stopping is not None and stopping.restore_best,
    )
