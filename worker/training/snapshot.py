"""Copies of a trainer as a `TrainingState`, and the way back."""

import time
from copy import copy
from dataclasses import asdict

from worker.training.device_work import copy_to_cpu
from worker.training.epoch_sums import Sums
from worker.training.optimizer_state import capture_optimizer
from worker.training.reports import Snapshot
from worker.training.seed import generator_states, restore_generators
from worker.training.selection import PlateauRecord
from worker.training.state import TrainingState
from worker.training.trainer import Trainer


def snapshot(trainer: Trainer) -> Snapshot:
    """Return a function that copies the training state at the next report."""
    report_count = trainer.report_count

    def take() -> TrainingState:
        if trainer.report_count != report_count:
            raise RuntimeError(
                "This snapshot belongs to an earlier report; take it before the next report."
            )
        return _capture(trainer)

    return take


def _capture(trainer: Trainer) -> TrainingState:
    """Copy the training state at a step boundary; wait for the device."""
    started_at = time.perf_counter()
    trainer.read_results()
    trainer.sums.seconds += time.perf_counter() - started_at  # the device's unfinished steps
    stepper, model, selection = trainer.stepper, trainer.experiment.model, trainer.selection
    return TrainingState(
        position=copy(trainer.position),
        model=copy_to_cpu(model.state_dict()),
        optimizer=capture_optimizer(stepper.optimizer, model) if stepper else {},
        schedule={
            "updates": trainer.position.stage_step,
            "learning_rate": trainer.sums.learning_rate,
            "plateau": asdict(selection.plateau),
        },
        scaler=stepper.scaler.state_dict() if stepper else {},
        generators=generator_states(trainer.experiment.device),
        sums=trainer.sums.as_json(),
        patience=selection.patience,
        best=dict(selection.best),
        best_weights=None if selection.best_weights is None else dict(selection.best_weights),
        ended=trainer.ended,
        fingerprint=trainer.determinism.fingerprint(),
    )


def restore(trainer: Trainer, state: TrainingState) -> None:
    """Continue from a state.

    Raises:
        ValueError: the state belongs to another experiment.
    """
    experiment, selection = trainer.experiment, trainer.selection
    try:
        experiment.model.load_state_dict(state.model)
    except RuntimeError as error:
        raise ValueError(f"The state belongs to another network: {error}") from error
    statistics = state.sums["statistics"]
    if len(statistics) != experiment.task.statistic_count:
        raise ValueError(
            f"The state belongs to another experiment: it has {len(statistics)} statistics of a "
            f"step, and this experiment has {experiment.task.statistic_count}."
        )
    restore_generators(state.generators, experiment.device)
    trainer.position = copy(state.position)
    trainer.sums = Sums(**{**state.sums, "statistics": list(statistics)})
    selection.patience = state.patience
    selection.plateau = PlateauRecord(**state.schedule["plateau"])
    selection.best = dict(state.best)
    selection.best_weights = state.best_weights
    trainer.ended = state.ended
    trainer.determinism.resume(state.fingerprint, has_noted=state.epoch > 0)
    trainer.resumed_from = state
