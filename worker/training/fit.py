"""The training loop, as a generator of reports. It writes nothing and knows no job.

    report InitialState
    for each stage, with its own optimizer:
        report StageStarted
        for each epoch, until early stopping:
            shuffle the training samples, by seed and epoch
            for each step (`Stepper.step`):
                 1. seed the random generators, by seed and step
                 2. set the learning rate: the schedule's, times the plateau's factor
                 3. draw the batch: augment its pixels, then normalize them
                 4. on_batch regularizers change images and targets
                    (of several ranks, each continues with its part of the batch)
                 5. forward pass, in the experiment's precision
                 6. objective: the loss, plus the terms of on_forward regularizers
                 7. backward pass of the objective, scaled for float16
                    (several ranks add up their gradients)
                 8. unscale the gradients
                 9. add the gradients of the penalties
                10. measure the norm of each gradient
                11. clip the gradients
                12. optimizer step, which float16 skips if a gradient is not finite
                13. adapt the scale for float16
                report Stepped
            validate
            select: best values, early stopping, plateau
            report EpochEnded
        restore the weights of the best epoch, if early stopping requests it
        report StageEnded
    report Fitted

The caller decides what to keep, and may close the generator at any report. On a CPU, `fit` from the
state that a report's `snapshot()` returns ends in the same bits as without a stop.
"""

import time
from collections.abc import Generator

from worker.training.determinism import nondeterministic_operations
from worker.training.experiment import Experiment, Stage
from worker.training.freezing import set_modes
from worker.training.ranks import ALONE, Ranks
from worker.training.reports import (
    EpochEnded,
    Fitted,
    InitialState,
    Report,
    StageEnded,
    StageStarted,
    Stepped,
)
from worker.training.seed import deterministic_algorithms, sample_order
from worker.training.snapshot import restore, snapshot
from worker.training.stage_end import StageEnd
from worker.training.state import TrainingState
from worker.training.step import Stepper
from worker.training.trainer import Trainer


def fit(
    experiment: Experiment, /, *, state: TrainingState | None = None, ranks: Ranks = ALONE
) -> Generator[Report, None, None]:
    """Train, and report every step, epoch and stage.

    Args:
        experiment: what is trained; its model is changed in place.
        state: where to resume; None starts with the model's weights as they are.
        ranks: the processes that train together. All must call `fit` with equal arguments; each
            yields the same reports. One of them may stop, and the others then fail.

    Yields:
        Reports, in the order given at the head of this file.

    Raises:
        Diverged: the training loss or a gradient is not finite.
        RankLost: another rank has ended.
        ValueError: the state belongs to another experiment.
    """
    with (
        deterministic_algorithms(experiment.deterministic),
        nondeterministic_operations() as operations,
    ):
        trainer = Trainer(experiment, operations, ranks)
        if state is None:
            yield from trainer.emit(
                InitialState(
                    **trainer.position_fields(),
                    checkpoint_keys=("initial",) if experiment.checkpoints.initial else (),
                    snapshot=snapshot(trainer),
                )
            )
        else:
            restore(trainer, state)
        while trainer.position.stage < len(experiment.stages):
            yield from _fit_stage(trainer, experiment.stages[trainer.position.stage])
        yield from trainer.emit(
            Fitted(**trainer.position_fields(), stages=trainer.ended, snapshot=snapshot(trainer))
        )


def _fit_stage(trainer: Trainer, stage: Stage) -> Generator[Report, None, None]:
    selection, stepper = trainer.selection, trainer.start_stage(stage)
    yield from trainer.emit(
        StageStarted(
            **trainer.position_fields(),
            epochs=stage.epochs,
            trainable_parameters=sum(tensor.numel() for tensor in stepper.parameters),
            is_resumed=trainer.position.stage_step > 0,
        )
    )
    while trainer.position.stage_epoch < stage.epochs and not selection.patience.is_exhausted:
        yield from _fit_epoch(trainer, stage, stepper)
    end = _stage_end(trainer, stage)
    yield from trainer.emit(StageEnded(**trainer.position_fields(), end=end))
    trainer.end_stage(end)


def _stage_end(trainer: Trainer, stage: Stage) -> StageEnd:
    """Return how the stage ends. Restores the weights of its best epoch where that is requested."""
    position, patience, rule = trainer.position, trainer.selection.patience, stage.early_stopping
    restored = trainer.selection.restore_best_weights(trainer.experiment.model)
    return StageEnd(
        stage=stage.name,
        reason="early_stopping" if patience.is_exhausted else "epochs",
        epoch=position.epoch,
        stage_epochs=position.stage_epoch,
        planned_epochs=stage.epochs,
        monitor=None if rule is None else rule.best.monitor,
        min_delta=None if rule is None else rule.min_delta,
        best_epoch=None if patience.best is None else position.epoch - patience.bad_epochs,
        restored=restored,
    )


def _fit_epoch(trainer: Trainer, stage: Stage, stepper: Stepper) -> Generator[Report, None, None]:
    experiment, position = trainer.experiment, trainer.position
    epoch, steps = position.epoch + 1, experiment.steps_of_epoch(stage)
    order_N = sample_order(len(trainer.train), experiment.seed, epoch).to(experiment.device)
    batches = order_N.split(stage.batch_size)
    trainer.train.announce([stepper.read(batch) for batch in batches[position.epoch_step : steps]])
    planned_steps = experiment.steps
    set_modes(experiment.model, stepper.frozen)
    trainer.start_clock()
    while position.epoch_step < steps:
        samples_N = batches[position.epoch_step]
        trainer.take_step(stepper, samples_N)
        yield from trainer.emit(
            Stepped(
                step=position.step,
                epoch=epoch,
                stage=stage.name,
                epochs=experiment.epochs,
                steps=planned_steps,
                images=len(samples_N),
                ends_epoch=position.epoch_step == steps,
                values=trainer.take_values(),
                snapshot=snapshot(trainer),
            )
        )
    trainer.read_results()
    trainer.stop_clock()
    yield from trainer.emit(_end_epoch(trainer, stage, epoch))


def _end_epoch(trainer: Trainer, stage: Stage, epoch: int) -> EpochEnded:
    """Validate, select, and move to the boundary between epochs."""
    started_at = time.perf_counter()
    experiment, position, selection = trainer.experiment, trainer.position, trainer.selection
    metrics = trainer.sums.metrics(experiment.task, is_clipped=stage.clipping is not None)
    metrics |= trainer.validate()
    metrics["seconds"] = trainer.sums.seconds + time.perf_counter() - started_at
    metrics = trainer.agreed(metrics)
    notes = trainer.notes(stage)
    trainer.end_epoch()
    improved = selection.update_best(metrics)
    selection.update_patience(stage.early_stopping, metrics, experiment.model)
    selection.update_plateau(stage.plateau, metrics)
    is_last = position.stage_epoch == stage.epochs or selection.patience.is_exhausted
    keys = [f"best:{monitor}" for monitor in improved]
    keys += ["every:stage"] if is_last and len(experiment.stages) > 1 else []
    keys += [
        f"every:{number}" for number in experiment.checkpoints.every_epochs if epoch % number == 0
    ]
    return EpochEnded(
        step=position.step,
        epoch=epoch,
        stage=stage.name,
        metrics=metrics,
        improved=improved,
        checkpoint_keys=tuple(keys),
        notes=notes,
        values=trainer.take_values(),
        snapshot=snapshot(trainer),
    )
