"""A training's copy to and from a `TrainingState`."""

from copy import copy
from dataclasses import asdict
from typing import TYPE_CHECKING

from worker.training.epoch_sums import Sums
from worker.training.seed import generator_states, restore_generators
from worker.training.state import PlateauRecord, TrainingState, on_cpu, optimizer_tensors

if TYPE_CHECKING:
    from worker.training.trainer import Trainer


def capture(course: "Trainer") -> TrainingState:
    """The training as it is now, at a step boundary; the device is waited for."""
    course.read_figures()
    stepper, model = course.stepper, course.experiment.model
    return TrainingState(
        position=copy(course.position),
        model=on_cpu(model.state_dict()),
        optimizer=optimizer_tensors(stepper.optimizer, model) if stepper else {},
        schedule={
            "updates": course.position.stage_step,
            "learning_rate": course.sums.learning_rate,
            "plateau": asdict(course.plateau),
        },
        scaler=stepper.scaler.state_dict() if stepper else {},
        generators=generator_states(course.experiment.device),
        sums=course.sums.as_json(),
        patience=copy(course.patience),
        best=dict(course.best),
        best_weights=None if course.best_weights is None else dict(course.best_weights),
        ended=course.ended,
        fingerprint=course.exactness.fingerprint(),
    )


def restore(course: "Trainer", state: TrainingState) -> None:
    """Go on where a state was taken.

    Raises:
        ValueError: it is of another experiment.
    """
    experiment = course.experiment
    try:
        experiment.model.load_state_dict(state.model)
    except RuntimeError as error:
        raise ValueError(f"the state is of another network: {error}") from error
    if len(state.sums["statistics"]) != experiment.task.statistic_count:
        raise ValueError(
            f"The state has {len(state.sums['statistics'])} statistics of a step and this "
            f"experiment {experiment.task.statistic_count}: it belongs to another experiment."
        )
    restore_generators(state.generators, experiment.device)
    course.position = copy(state.position)
    course.sums = Sums(**{**state.sums, "statistics": list(state.sums["statistics"])})
    course.patience = copy(state.patience)
    course.plateau = PlateauRecord(**state.schedule.get("plateau", {}))
    course.best = dict(state.best)
    course.best_weights = state.best_weights
    course.ended = state.ended
    course.exactness.resume(state.fingerprint, is_told=state.epoch > 0)
    course.resumed_from = state
