"""Turns the reports of a training into rows, events, checkpoints and TensorBoard entries."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shared.clock import now
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, NewMetric
from shared.json_numbers import json_number
from worker.runner.checkpoints import CheckpointWriter
from worker.runner.diagnosis.watch import Outcome, Watch
from worker.training.divergence import Diverged
from worker.training.metrics import metric_of
from worker.training.parameters import gradient_norms
from worker.training.reports import (
    EpochEnded,
    Fitted,
    InitialState,
    Report,
    StageEnded,
    StageStarted,
    Stepped,
)
from worker.training.stage_end import StageEnd

if TYPE_CHECKING:
    from worker.tensorboard.log import TensorBoardLog


class Recorder:
    """Records an attempt's reports one by one, without waiting for the database.

    Args:
        checkpoints: writes checkpoints; its writer stores the rest, in the same order.
        tensorboard: the TensorBoard log, where the specification requests it.
        latest: the newest metrics by name from before this attempt.
        watch: finds faults in the training, where the specification leaves it on.
    """

    def __init__(
        self,
        checkpoints: CheckpointWriter,
        tensorboard: "TensorBoardLog | None",
        latest: Mapping[str, Any],
        watch: Watch | None = None,
    ) -> None:
        self.tensorboard = tensorboard
        self.watch = watch
        #: The newest metrics by name.
        self.latest = dict(latest)
        #: The last finished epoch and its step.
        self.finished = {"epoch": 0, "step": 0}
        #: How each stage ended, by its name; set at the end of the training.
        self.stages: dict[str, dict[str, Any]] = {}
        self._checkpoints = checkpoints
        self._writer = checkpoints.writer
        #: When the last checkpoint was taken, or the training began.
        self._checkpoint_time = time.monotonic()
        self._has_stepped = False
        self._last_stage_end: StageEnded | None = None

    @property
    def seconds_since_checkpoint(self) -> float:
        """The time since the last checkpoint was taken, or since the training began."""
        return time.monotonic() - self._checkpoint_time

    @property
    def is_checkpoint_available(self) -> bool:
        """Whether a checkpoint can be taken without waiting."""
        return self._checkpoints.is_available

    def can_give_way(self, report: StageStarted | Stepped) -> bool:
        """Return whether the job can give way to another job here.

        It does not before it has taken a step, nor after its last step, nor while it would have
        to wait until the disk has written earlier checkpoints.
        """
        if isinstance(report, StageStarted) or report.step >= report.steps:
            return False
        return self.is_checkpoint_available

    def record(self, report: Report) -> None:
        """Record a report."""
        if self.watch is not None:
            self._record_findings(self.watch.observe(report))
        if isinstance(report, Stepped):
            if not self._has_stepped:
                self._has_stepped = True
                self._record_first_step(report)
        elif isinstance(report, InitialState):
            self._record_initial_state(report)
        elif isinstance(report, StageStarted):
            self._record_stage(report)
        elif isinstance(report, EpochEnded):
            self._record_epoch(report)
        elif isinstance(report, StageEnded):
            self._last_stage_end = report
            event = NewEvent("stage_end", _end_json(report.end), report.step)
            self._writer.put(Batch(events=[event]))
        elif isinstance(report, Fitted):
            self._record_end(report)

    def record_divergence(self, error: Diverged) -> None:
        """Record what is found in a training that is not finite any more."""
        if self.watch is not None:
            self._record_findings(self.watch.observe_divergence(error))

    def write_checkpoint(self, report: EpochEnded | Stepped, keys: tuple[str, ...] = ()) -> None:
        """Take a checkpoint: `last`, and one for each rule in `keys`."""
        if self.watch is not None:
            # Before the checkpoint: an attempt that resumes from it continues with the findings.
            self._writer.put(Batch(watch=self.watch.state()))
        self._checkpoints.write(report.snapshot(), report.stage, keys)
        self._checkpoint_time = time.monotonic()

    def _record_findings(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._writer.put(Batch(diagnosis=outcome.diagnosis, events=outcome.events))

    def _record_initial_state(self, report: InitialState) -> None:
        if self.tensorboard is not None:
            self.tensorboard.write_step(report.step)
        if report.checkpoint_keys:
            self._checkpoints.write(report.snapshot(), report.stage, report.checkpoint_keys)

    def _record_stage(self, report: StageStarted) -> None:
        data = {
            "stage": report.stage,
            "epochs": report.epochs,
            "trainable_parameters": report.trainable_parameters,
            "is_resumed": report.is_resumed,
        }
        self._writer.put(Batch(phase=report.stage, events=[NewEvent("stage", data)]))

    def _record_first_step(self, report: Stepped) -> None:
        norms = gradient_norms(self._checkpoints.experiment.model)
        by_tensor = {name: json_number(norm) for name, norm in norms.items()}
        event = NewEvent("first_step", {"step": report.step, "gradient_norms": by_tensor})
        self._writer.put(Batch(events=[event]))

    def _record_epoch(self, report: EpochEnded) -> None:
        at, self.finished = now(), {"epoch": report.epoch, "step": report.step}
        rows = [
            NewMetric(
                name=name,
                split=metric_of(name).split,
                stage=report.stage,
                step=report.step,
                epoch=report.epoch,
                value=value,
                at=at,
            )
            for name, value in report.metrics.items()
        ]
        self.latest |= {name: json_number(value) for name, value in report.metrics.items()}
        data = {
            "epoch": report.epoch,
            "stage": report.stage,
            "step": report.step,
            "epochs": self._checkpoints.experiment.epochs,
            "metrics": dict(self.latest),
        }
        events = [NewEvent("epoch", data, report.step)]
        events += [NewEvent("note", {"text": text}, report.step) for text in report.notes]
        self._writer.put(Batch(metrics=rows, events=events, latest=dict(self.latest)))
        if self.tensorboard is not None:
            # Before the checkpoint: an attempt that resumes from it does not write the epoch again.
            self.tensorboard.write_step(report.step)
        self.write_checkpoint(report, report.checkpoint_keys)

    def _record_end(self, report: Fitted) -> None:
        self.stages = {end.stage: _end_json(end) for end in report.stages}
        last = self._last_stage_end
        if last is not None and last.end.restored:  # the last checkpoint has other weights
            self._checkpoints.write(report.snapshot(), last.stage, (), suffix="-restored")


@contextmanager
def recorded_divergence(recorder: Recorder) -> Iterator[None]:
    """Record what is found in a training that diverges within the block."""
    try:
        yield
    except Diverged as error:
        recorder.record_divergence(error)
        raise


def _end_json(end: StageEnd) -> dict[str, Any]:
    return {**asdict(end), "text": end.text}
