"""The training loop, as a generator of reports. It writes nothing and knows no job.

Whoever iterates over it decides what to keep and may close it at any report. From a state that a
report's `snapshot()` gave, it goes on bit for bit on a CPU as if it had never been closed.

    InitialState, then for each stage: StageStarted, (Stepped…, EpochEnded)…, StageEnded; Fitted
"""

import time
from collections.abc import Generator

from worker.training.determinism import nondeterministic_operations
from worker.training.experiment import Experiment, Stage
from worker.training.freezing import set_modes
from worker.training.reports import (
    EpochEnded,
    Fitted,
    InitialState,
    Report,
    StageEnded,
    StageStarted,
    Stepped,
)
from worker.training.seed import deterministic_algorithms, order
from worker.training.snapshot import restore
from worker.training.state import StageEnd, TrainingState
from worker.training.step import Stepper
from worker.training.trainer import Trainer


def fit(
    experiment: Experiment, /, *, state: TrainingState | None = None
) -> Generator[Report, None, None]:
    """Train, and report every step, epoch and stage.

    Args:
        experiment: what is trained; its model is changed in place.
        state: where to go on; None starts anew with the model's weights as they are.

    Yields:
        Reports, in the order given at the head of this file.

    Raises:
        Diverged: the training loss or a gradient is not finite any more.
        ValueError: the state is of another experiment.
    """
    with (
        deterministic_algorithms(experiment.deterministic),
        nondeterministic_operations() as operations,
    ):
        course = Trainer(experiment, operations)
        if state is None:
            yield from course.tell(
                InitialState(
                    **course.where(),
                    checkpoint_keys=("initial",) if experiment.checkpoints.initial else (),
                    snapshot=course.snapshot(),
                )
            )
        else:
            restore(course, state)
        while course.position.stage < len(experiment.stages):
            yield from _stage(course, experiment.stages[course.position.stage])
        yield from course.tell(
            Fitted(**course.where(), stages=course.ended, snapshot=course.snapshot())
        )


def _stage(course: Trainer, stage: Stage) -> Generator[Report, None, None]:
    stepper = course.begin_stage(stage)
    yield from course.tell(
        StageStarted(
            **course.where(),
            epochs=stage.epochs,
            trainable_parameters=sum(tensor.numel() for tensor in stepper.parameters),
            is_resumed=course.position.stage_step > 0,
        )
    )
    while course.position.stage_epoch < stage.epochs and not course.patience.is_over:
        yield from _epoch(course, stage, stepper)
    reason = "early_stopping" if course.patience.is_over else "epochs"
    restored = course.restore_best(stage)
    yield from course.tell(StageEnded(**course.where(), reason=reason, restored=restored))
    course.end_stage(StageEnd(stage.name, reason, restored))


def _epoch(course: Trainer, stage: Stage, stepper: Stepper) -> Generator[Report, None, None]:
    experiment, position = course.experiment, course.position
    epoch, steps = position.epoch + 1, experiment.steps_of_epoch(stage)
    order_N = order(len(course.train), experiment.seed, epoch).to(experiment.device)
    batches = order_N.split(stage.batch_size)
    planned_steps = experiment.steps
    set_modes(experiment.model, stepper.frozen)
    course.start_clock()
    while position.epoch_step < steps:
        chosen_N = batches[position.epoch_step]
        course.take_step(stepper, chosen_N)
        yield from course.tell(
            Stepped(
                step=position.step,
                epoch=epoch,
                stage=stage.name,
                epochs=experiment.epochs,
                steps=planned_steps,
                images=len(chosen_N),
                ends_epoch=position.epoch_step == steps,
                snapshot=course.snapshot(),
            )
        )
    course.read_figures()
    course.stop_clock()
    yield from course.tell(_end_epoch(course, stage, epoch))


def _end_epoch(course: Trainer, stage: Stage, epoch: int) -> EpochEnded:
    """Validate, decide what it means, and move to the boundary between epochs."""
    started = time.perf_counter()
    experiment = course.experiment
    trained = course.sums.metrics(experiment.task, is_clipped=stage.clipping is not None)
    metrics = trained | course.validate()
    metrics["seconds"] = course.sums.seconds + time.perf_counter() - started
    notes = course.notes(stage)
    course.end_epoch()
    improved = course.improve(metrics)
    course.be_patient(stage, metrics)
    is_last = course.position.stage_epoch == stage.epochs or course.patience.is_over
    course.follow_plateau(stage, metrics)
    keys = [f"best:{monitor}" for monitor in improved]
    keys += ["every:stage"] if is_last and len(course.experiment.stages) > 1 else []
    keys += [
        f"every:{number}" for number in experiment.checkpoints.every_epochs if epoch % number == 0
    ]
    return EpochEnded(
        step=course.position.step,
        epoch=epoch,
        stage=stage.name,
        metrics=metrics,
        improved=improved,
        checkpoint_keys=tuple(keys),
        notes=notes,
        snapshot=course.snapshot(),
    )
