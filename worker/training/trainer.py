"""A training on its way: the part that changes. `copies` has its copy to and from a state."""

import time
from collections.abc import Generator
from typing import TypedDict, TypeVar

from torch import Tensor

from worker.training import divergence
from worker.training.determinism import Determinism
from worker.training.device_split import DeviceSplit
from worker.training.epoch_sums import Sums, Window
from worker.training.evaluation import score
from worker.training.experiment import Experiment, Split, Stage
from worker.training.metrics import PREFIXES
from worker.training.penalties import Penalties
from worker.training.reports import Report, Snapshot
from worker.training.seed import order
from worker.training.snapshot import capture
from worker.training.state import (
    Patience,
    PlateauRecord,
    Position,
    StageEnd,
    TrainingState,
    on_cpu,
    restore_optimizer,
)
from worker.training.step import Stepper

#: After how many steps figures are read: reading makes the host wait for a GPU, not for a CPU.
STEPS_BETWEEN_READINGS = {"cuda": 50}

_Report = TypeVar("_Report", bound=Report)


class Where(TypedDict):
    """The fields that every report has."""

    step: int
    epoch: int
    stage: str


class Trainer:
    """What `fit` changes as it goes, beside the model.

    Args:
        experiment: what is trained.
        operations: those without a deterministic implementation, as they are met.
    """

    def __init__(self, experiment: Experiment, operations: set[str]) -> None:
        self.experiment = experiment
        self.train = self._resident(experiment.splits.train)
        self.validation = self._resident(experiment.splits.validation)
        self.position = Position()
        self.sums = self.no_sums()
        self.patience = Patience()
        self.plateau = PlateauRecord()
        self.best: dict[str, float] = {}
        self.ended: tuple[StageEnd, ...] = ()
        self.best_weights: dict[str, Tensor] | None = None
        self.stepper: Stepper | None = None
        self.exactness = Determinism(
            experiment.device, operations, is_deterministic=experiment.deterministic
        )
        #: Where it goes on; the next stage's optimizer takes over what is in it.
        self.resumed_from: TrainingState | None = None
        self._penalties = Penalties(experiment)
        self._window = Window(
            experiment.task, STEPS_BETWEEN_READINGS.get(experiment.device.type, 1)
        )
        #: The samples that the generalization gap is measured on, as many as validate.
        sample_N = order_of_gap(len(self.train), len(self.validation), experiment.seed)
        self._gap_N = sample_N.to(experiment.device)
        self._moment = 0
        self._clock_started: float | None = None

    # What the loop does with it

    def begin_stage(self, stage: Stage) -> Stepper:
        """Make the stage's optimizer, with what an earlier one kept after a resume."""
        stepper = Stepper(self.experiment, stage, self.train)
        state, self.resumed_from = self.resumed_from, None
        if state is not None:
            restore_optimizer(stepper.optimizer, self.experiment.model, state.optimizer)
            if state.scaler:
                stepper.scaler.load_state_dict(state.scaler)
        self.stepper = stepper
        return stepper

    def end_stage(self, end: StageEnd) -> None:
        """Move to the start of the next stage."""
        self.ended += (end,)
        self.position.stage += 1
        self.position.stage_epoch = self.position.stage_step = 0
        self.sums = self.no_sums()
        self.patience, self.best_weights, self.stepper = Patience(), None, None
        self.plateau = PlateauRecord()

    def take_step(self, stepper: Stepper, chosen_N: Tensor) -> None:
        """One step, and its figures into the window."""
        position = self.position
        figures = stepper.step(
            chosen_N,
            step=position.step + 1,
            updates=position.stage_step,
            reduction=self.plateau.factor,
        )
        self._window.add(figures)
        position.step += 1
        position.stage_step += 1
        position.epoch_step += 1
        if self._window.is_full:
            self.read_figures()

    def read_figures(self) -> None:
        """Wait for the device and add up what the steps left there.

        Raises:
            Diverged: a figure is not finite.
        """
        if self.stepper is None:
            return
        stage, experiment = self.stepper.stage, self.experiment
        self._window.empty_into(
            self.sums,
            skips_overflow=experiment.precision == "float16",
            stage=stage.name,
            hint=divergence.hint(
                learning_rate=stage.learning_rate,
                precision=experiment.precision,
                is_clipped=stage.clipping is not None,
            ),
        )

    def validate(self) -> dict[str, float]:
        """The metrics on the validation split, and the gap to the training split."""
        experiment = self.experiment
        validation = score(experiment, self.validation, is_counted=True)
        trained = score(experiment, self.train, chosen=self._gap_N)
        penalty = self._penalties.value()
        return {
            "val_loss": validation.data_loss + (0.0 if penalty is None else penalty.item()),
            "val_data_loss": validation.data_loss,
            "generalization_gap": validation.data_loss - trained.data_loss,
            **{PREFIXES["validation"] + name: v for name, v in validation.metrics.items()},
        }

    def end_epoch(self) -> None:
        """Move to the boundary between this epoch and the next."""
        self.position.epoch += 1
        self.position.stage_epoch += 1
        self.position.epoch_step = 0
        # A search for float16's scale may go on over the boundary.
        skipped, self.sums = self.sums.skipped_in_a_row, self.no_sums()
        self.sums.skipped_in_a_row = skipped

    def improve(self, metrics: dict[str, float]) -> tuple[str, ...]:
        """Keep the best values; which monitors are better than ever."""
        improved = [
            best.monitor
            for best in self.experiment.checkpoints.best
            if best.is_better(metrics[best.monitor], self.best.get(best.monitor))
        ]
        self.best |= {monitor: metrics[monitor] for monitor in improved}
        return tuple(improved)

    def be_patient(self, stage: Stage, metrics: dict[str, float]) -> None:
        """Count the epochs without improvement and keep the best weights, where asked for."""
        stopping = stage.early_stopping
        if stopping is None:
            return
        value = metrics[stopping.best.monitor]
        if stopping.best.is_better(value, self.patience.best, stopping.min_delta):
            self.patience = Patience(best=value)
            if stopping.restore_best:
                self.best_weights = on_cpu(self.experiment.model.state_dict())
            return
        self.patience.waited += 1
        self.patience.is_over = self.patience.waited >= stopping.patience

    def follow_plateau(self, stage: Stage, metrics: dict[str, float]) -> None:
        """Lower the learning rate of the epochs to come, where asked for and due."""
        if stage.plateau is not None:
            value = metrics[stage.plateau.best.monitor]
            self.plateau = stage.plateau.after(self.plateau, value)

    def restore_best(self, stage: Stage) -> bool:
        """Put the weights of the stage's best epoch back, where asked for and not the last's."""
        stopping = stage.early_stopping
        if stopping is None or self.best_weights is None or self.patience.waited == 0:
            return False
        self.experiment.model.load_state_dict(self.best_weights)
        return True

    def notes(self, stage: Stage) -> tuple[str, ...]:
        """What a person should know of the epoch that ends."""
        notes = self.exactness.notes()
        left_out = len(self.train) - self.sums.images
        if left_out and self.position.stage_epoch == 0:
            notes.append(
                f"The last batch of each epoch would hold one image at batch_size "
                f"{stage.batch_size}; batch norm finds no variance in one, so it is left out."
            )
        skipped = self.sums.steps - self.sums.finite_steps
        if skipped:
            notes.append(
                f"{skipped} steps were skipped, since a gradient overflowed float16; the "
                "loss is scaled less since."
            )
        return tuple(notes)

    def no_sums(self) -> Sums:
        """The sums at the start of an epoch."""
        return Sums(statistics=[0] * self.experiment.task.statistic_count)

    # What it tells

    def tell(self, report: _Report) -> Generator[_Report, None, None]:
        """Yield a report, with the clock stopped while somebody reads it."""
        was_running = self._clock_started is not None
        self.stop_clock()
        yield report
        self._moment += 1
        if was_running:
            self.start_clock()

    def where(self) -> Where:
        """Step, epochs finished and stage, for reports between epochs."""
        stages = self.experiment.stages
        name = stages[self.position.stage].name if self.position.stage < len(stages) else ""
        return {"step": self.position.step, "epoch": self.position.epoch, "stage": name}

    def start_clock(self) -> None:
        """Time counts as training from now on."""
        self._clock_started = time.perf_counter()

    def stop_clock(self) -> None:
        """Time does not count any more."""
        if self._clock_started is not None:
            self.sums.seconds += time.perf_counter() - self._clock_started
            self._clock_started = None

    def snapshot(self) -> Snapshot:
        """A function that copies the training as it is at the next report."""
        moment = self._moment

        def copy() -> TrainingState:
            if self._moment != moment:
                raise RuntimeError(
                    "this snapshot is of an earlier report; take it before asking for the next"
                )
            return capture(self)

        return copy

    def _resident(self, split: Split) -> DeviceSplit:
        experiment = self.experiment
        return DeviceSplit(split.images, split.labels, experiment.normalization, experiment.device)


def order_of_gap(train: int, validation: int, seed: int) -> Tensor:
    """A fixed sample of the training split as large as the validation split, or all of it."""
    return order(train, seed, 0)[:validation]  # training's epochs count from 1
