"""What changes during training, apart from the model."""

import time
from collections.abc import Generator
from typing import TypedDict, TypeVar

import torch
from torch import Tensor

from worker.training import divergence
from worker.training.determinism import Determinism
from worker.training.device_work import is_busy
from worker.training.epoch_sums import StepValues, Sums, Window
from worker.training.evaluation import score
from worker.training.experiment import Experiment, Stage
from worker.training.metrics import PREFIXES
from worker.training.optimizer_state import restore_optimizer
from worker.training.penalties import Penalties
from worker.training.ranks import ALONE, Ranks
from worker.training.reports import Report
from worker.training.seed import sample_order
from worker.training.selection import Selection
from worker.training.stage_end import StageEnd
from worker.training.state import Position, TrainingState
from worker.training.step import Stepper

#: After how many steps results are read: reading makes the host wait for a GPU, not for a CPU.
STEPS_BETWEEN_READINGS = {"cuda": 50}

_Report = TypeVar("_Report", bound=Report)


class PositionFields(TypedDict):
    """The fields that every report has."""

    step: int
    epoch: int
    stage: str


class Trainer:
    """The position, sums and records of `fit`, and the operations on them.

    Args:
        experiment: what is trained.
        operations: the operations met without a deterministic implementation; grows.
        ranks: the processes that train together.
    """

    def __init__(self, experiment: Experiment, operations: set[str], ranks: Ranks = ALONE) -> None:
        self.experiment = experiment
        self.ranks = ranks
        self.train = experiment.on_device(experiment.splits.train)
        self.validation = experiment.on_device(experiment.splits.validation)
        self.position = Position()
        self.sums = self._empty_sums()
        self.selection = Selection(experiment.checkpoints.best)
        #: How the finished stages ended.
        self.ended: tuple[StageEnd, ...] = ()
        self.stepper: Stepper | None = None
        self.determinism = Determinism(
            experiment.device,
            operations,
            is_deterministic=experiment.deterministic,
            processes=ranks.count,
        )
        #: The state that was restored, until the next stage's optimizer has taken its part of it.
        self.resumed_from: TrainingState | None = None
        #: Reports that the caller has handled.
        self.report_count = 0
        self._penalties = Penalties(experiment.model, experiment.regularizers)
        self._window = Window(
            experiment.task, STEPS_BETWEEN_READINGS.get(experiment.device.type, 1)
        )
        gap_sample_N = gap_sample(len(self.train), len(self.validation), experiment.seed)
        self._gap_sample_N = gap_sample_N.to(experiment.device)
        self._clock_started_at: float | None = None

    # Stages, steps, epochs

    def start_stage(self, stage: Stage) -> Stepper:
        """Create the stage's optimizer; after a resume, with the tensors of the earlier one."""
        stepper = Stepper(self.experiment, stage, self.train, self.ranks)
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
        self.sums = self._empty_sums()
        self.selection.start_stage()
        self.stepper = None

    def take_step(self, stepper: Stepper, samples_N: Tensor) -> None:
        """Take one step, and read the results of the last steps if it is time to.

        Raises:
            Diverged: the loss or the gradient of a step is not finite.
        """
        position = self.position
        result = stepper.step(
            samples_N,
            step=position.step + 1,
            updates=position.stage_step,
            plateau_factor=self.selection.plateau.factor,
        )
        self._window.add(result)
        position.step += 1
        position.stage_step += 1
        position.epoch_step += 1
        if self._window.is_full:
            self.read_results()

    def read_results(self) -> None:
        """Wait for the device, and add the results of the last steps to the epoch's sums.

        Raises:
            Diverged: the loss or the gradient of a step is not finite.
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

    def take_values(self) -> tuple[StepValues, ...]:
        """Return the values of the steps that were read since the last call."""
        return self._window.take_values()

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation split, and the gap to training samples."""
        experiment = self.experiment
        ranks = self.ranks
        validation = score(experiment, self.validation, has_metrics=True, ranks=ranks)
        training = score(experiment, self.train, samples_N=self._gap_sample_N, ranks=ranks)
        return {
            "train_eval_loss": training.data_loss,
            "val_loss": validation.data_loss + self._penalties.number(),
            "val_data_loss": validation.data_loss,
            "generalization_gap": validation.data_loss - training.data_loss,
            **{PREFIXES["validation"] + name: v for name, v in validation.metrics.items()},
        }

    def agreed(self, metrics: dict[str, float]) -> dict[str, float]:
        """Return the metrics of the first rank: its clock counts, and all must decide alike."""
        if self.ranks.is_alone:
            return metrics
        is_first = self.ranks.rank == 0
        own = [value if is_first else 0.0 for value in metrics.values()]
        values = torch.tensor(own, dtype=torch.float64, device=self.experiment.device)
        self.ranks.sum([values])
        return dict(zip(metrics, values.tolist(), strict=True))

    def end_epoch(self) -> None:
        """Move to the boundary between this epoch and the next."""
        self.position.epoch += 1
        self.position.stage_epoch += 1
        self.position.epoch_step = 0
        # A search for float16's scale may continue in the next epoch.
        skipped, self.sums = self.sums.skipped_in_a_row, self._empty_sums()
        self.sums.skipped_in_a_row = skipped

    # Reports

    def emit(self, report: _Report) -> Generator[_Report, None, None]:
        """Yield a report, with the clock stopped while the caller handles it.

        A GPU that is still busy when the caller returns has lost no time, so nothing is left out.
        """
        was_running = self._clock_started_at is not None
        self.stop_clock()
        paused_at = time.perf_counter()
        yield report
        self.report_count += 1
        if was_running:
            self.start_clock(paused_at if is_busy(self.experiment.device) else None)

    def position_fields(self) -> PositionFields:
        """Return the step, the finished epochs and the stage, for reports between epochs."""
        stages = self.experiment.stages
        name = stages[self.position.stage].name if self.position.stage < len(stages) else ""
        return {"step": self.position.step, "epoch": self.position.epoch, "stage": name}

    def notes(self, stage: Stage) -> tuple[str, ...]:
        """Return remarks for the user on the epoch that ends."""
        notes = self.determinism.notes()
        has_left_out = len(self.train) > self.sums.images
        if has_left_out and self.position.epoch == 0:
            notes.append(
                f"With batch_size {stage.batch_size}, the last batch of each epoch has a single "
                "image. Batch norm needs at least two, so that batch is left out."
            )
        skipped = self.sums.steps - self.sums.finite_steps
        if skipped:
            notes.append(
                f"{skipped} steps were skipped because a gradient overflowed float16; the loss is "
                "now scaled by a smaller factor."
            )
        return tuple(notes)

    def start_clock(self, since: float | None = None) -> None:
        """Start to measure training time.

        Args:
            since: when the time began, by `time.perf_counter`; None for now.
        """
        self._clock_started_at = time.perf_counter() if since is None else since

    def stop_clock(self) -> None:
        """Add the time since the clock was started to the epoch's training time."""
        if self._clock_started_at is not None:
            self.sums.seconds += time.perf_counter() - self._clock_started_at
            self._clock_started_at = None

    def _empty_sums(self) -> Sums:
        return Sums(statistics=[0] * self.experiment.task.statistic_count)


def gap_sample(train: int, validation: int, seed: int) -> Tensor:
    """Return the training samples for the generalization gap: as many as validate, or all, int64.

    Args:
        train: the size of the training split.
        validation: the size of the validation split.
        seed: the job's seed. The sample is the same in every epoch.
    """
    return sample_order(train, seed, 0)[:validation]  # training's epochs count from 1
