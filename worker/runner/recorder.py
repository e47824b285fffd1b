"""What a training reports, as it is kept: rows, events, checkpoints, pictures."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.clock import now
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, NewMetric
from shared.json_numbers import json_number
from worker.runner.checkpoints import CheckpointWriter
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

if TYPE_CHECKING:
    from worker.tensorboard.log import TensorBoardLog


class Recorder:
    """Records an attempt's reports, one after the other.

    Args:
        keeper: keeps checkpoints; its scribe writes the rest, in the same order.
        board: event files for TensorBoard, where they were asked for.
        latest: the newest metrics by name from before this attempt.
    """

    def __init__(
        self, keeper: CheckpointWriter, board: "TensorBoardLog | None", latest: Mapping[str, Any]
    ) -> None:
        self.board = board
        self.latest = dict(latest)
        #: How each stage ended, once all are over.
        self.stages: dict[str, str] = {}
        #: When the training was last kept or began, on the monotonic clock.
        self.kept_at = time.monotonic()
        self._keeper = keeper
        self._scribe = keeper.scribe
        self._has_stepped = False
        self._newest_end: StageEnded | None = None

    def record(self, report: Report) -> None:
        """Record a report; nothing here waits for the database."""
        if isinstance(report, Stepped):
            if not self._has_stepped:
                self._has_stepped = True
                self._first_step(report)
        elif isinstance(report, InitialState):
            if self.board is not None:
                self.board.write_step(report.step, {})
            if report.checkpoint_keys:
                self._keeper.keep(report.snapshot(), report.stage, report.checkpoint_keys)
        elif isinstance(report, StageStarted):
            told = {"stage": report.stage, "epochs": report.epochs}
            told |= {"trainable_parameters": report.trainable_parameters}
            event = NewEvent("stage", {**told, "is_resumed": report.is_resumed})
            self._scribe.put(Batch(phase=report.stage, events=[event]))
        elif isinstance(report, EpochEnded):
            self._epoch(report)
        elif isinstance(report, StageEnded):
            self._newest_end = report
        elif isinstance(report, Fitted):
            self._fitted(report)

    @property
    def has_room(self) -> bool:
        """Whether a checkpoint would be taken without waiting."""
        return self._keeper.has_room

    def keep(self, report: EpochEnded | Stepped, keys: tuple[str, ...] = ()) -> None:
        """Have a checkpoint written: `last`, and in the further roles named by `keys`."""
        self._keeper.keep(report.snapshot(), report.stage, keys)
        self.kept_at = time.monotonic()

    def _first_step(self, report: Stepped) -> None:
        norms = gradient_norms(self._keeper.experiment.model)
        told = {name: json_number(norm) for name, norm in norms.items()}
        event = NewEvent("first_step", {"step": report.step, "gradient_norms": told})
        self._scribe.put(Batch(events=[event]))

    def _epoch(self, report: EpochEnded) -> None:
        at = now()
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
        told = {"epoch": report.epoch, "stage": report.stage, "step": report.step}
        told |= {"epochs": self._keeper.experiment.epochs, "metrics": dict(self.latest)}
        events = [NewEvent("epoch", told, report.step)]
        events += [NewEvent("note", {"text": text}, report.step) for text in report.notes]
        self._scribe.put(Batch(metrics=rows, events=events, latest=dict(self.latest)))
        if self.board is not None:
            # Before the checkpoint: what goes on from there finds it written.
            self.board.write_step(report.step, report.metrics)
        self.keep(report, report.checkpoint_keys)

    def _fitted(self, report: Fitted) -> None:
        for end in report.stages:
            note = ", best weights restored" if end.restored else ""
            self.stages[end.stage] = f"{end.reason}{note}"
        newest = self._newest_end
        if newest is not None and newest.restored:  # the last checkpoint has others
            self._keeper.keep(report.snapshot(), newest.stage, (), suffix="-restored")
