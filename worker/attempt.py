"""One attempt: build, consume `fit()`, record. What goes wrong here is the runner's to catch."""

import signal
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog
import torch

from shared.clock import now
from shared.database import Database
from shared.jobs import attempts, reading
from shared.jobs.events import EventRow
from shared.jobs.recording import Batch, MetricRow, record
from shared.settings import Settings
from shared.spec import JobSpec
from shared.storage import Storage
from worker import data as datasets
from worker.assignment import CANCELLED, DONE, DRAINED, Assignment
from worker.build import Data, asks_for_a_number, build
from worker.data.dataset import Dataset
from worker.data.tensors import take
from worker.failures import OutOfTime
from worker.keeping import Keeper, from_another, newest, sweep
from worker.progress import Progress
from worker.pulse import Pulse
from worker.results import evaluate_checkpoints, test_metrics
from worker.scribe import Scribe, inquire, insist
from worker.training.count import count_parameters
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
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
from worker.training.seed import fingerprint
from worker.training.state import TrainingState
from worker.weights import fetch
from worker.wire import number, split_of

if TYPE_CHECKING:
    from worker.boards.board import Board

log = structlog.get_logger()


class Attempt:
    """An attempt on its way."""

    def __init__(self, assignment: Assignment, settings: Settings, database: Database) -> None:
        self.assignment = assignment
        self.settings = settings
        self.database = database
        self.storage = Storage(settings.storage)
        self.scribe = Scribe(database, self.storage, assignment.lease)
        self.pulse = Pulse(database, assignment.lease)
        self.drain = threading.Event()
        self.began = time.monotonic()
        self.earlier_seconds = 0.0
        self.saved = time.monotonic()
        self.first_step: int | None = None
        self.stopped: dict[str, str] = {}
        self.latest: dict[str, Any] = {}
        self.board: Board | None = None
        self.progress = Progress()
        signal.signal(signal.SIGTERM, lambda *_: self.drain.set())

    @cached_property
    def spec(self) -> JobSpec:
        """What was asked for; read inside `run`, so that a fault in it is the job's failure."""
        return JobSpec.model_validate(self.assignment.spec)

    def run(self) -> int:
        """Train to the end, or until somebody wants it otherwise; return the exit code."""
        dataset, experiment = self._build()
        keeper = Keeper(self.scribe, experiment)
        state = self._resume(experiment, keeper)
        is_exact = state is None or state.fingerprint == fingerprint(experiment.device)
        self.board = self._open_board(experiment, state)
        generator = fit(experiment, state=state)
        for report in generator:
            self.scribe.check()
            self._record(report, keeper)
            if isinstance(report, (StageStarted, Stepped)):
                ended = self._stop(report, keeper)
                if ended is not None:
                    generator.close()
                    self.scribe.flush()
                    return ended
        self._finish(dataset, experiment, is_exact=is_exact)
        return DONE

    def _build(self) -> tuple[Dataset, Experiment]:
        home = self.settings.home
        dataset, chosen = datasets.load_splits(
            self.assignment.spec["dataset"],
            is_number=asks_for_a_number(self.spec),
            seed=self.spec.seed,
            data_dir=home / "data",
            cache_dir=home / "cache",
        )
        splits = Splits(
            train=Split(*take(dataset, chosen.train)),
            validation=Split(*take(dataset, chosen.validation)),
            test=Split(*take(dataset, chosen.test)),
        )
        device = "cuda" if self.assignment.uuid else "cpu"
        weights = fetch(self.spec, self.database, self.storage)
        data = Data(dataset.class_names, splits)
        experiment = build(self.spec, data, device=device, weights=weights)
        return dataset, experiment

    def _open_board(self, experiment: Experiment, state: TrainingState | None) -> "Board | None":
        """Event files for TensorBoard, where they were asked for."""
        if self.spec.tracking.tensorboard is None:
            return None
        from worker.boards.board import Board  # noqa: PLC0415 - a third of a second, for few jobs

        return Board(
            self.storage.tensorboard(self.assignment.job_id),
            self.spec.tracking.tensorboard,
            experiment,
            attempt=self.assignment.lease.attempt,
            step=None if state is None else state.step,
            tell=self._tell,
        )

    def _tell(self, text: str) -> None:
        self.scribe.put(Batch(events=[EventRow("note", {"text": text})]))

    def _resume(self, experiment: Experiment, keeper: Keeper) -> TrainingState | None:
        lease, inherited = self.assignment.lease, Batch()
        state = newest(self.database, self.storage, lease, self._tell)
        if state is None and self.assignment.resume_from is not None:
            origin = self.assignment.resume_from
            state, inherited = from_another(self.database, self.storage, lease, origin, self._tell)
        first_step = 0 if state is None else state.step
        known = fingerprint(experiment.device)
        insist(
            self.database,
            lambda c: attempts.begin(c, lease, first_step=first_step, fingerprint=known),
        )
        if inherited.checkpoints:
            self.scribe.put(inherited)
        if lease.attempt > 1:
            earlier = inquire(self.database, lambda c: reading.attempts(c, lease.job_id))
            rows = inquire(self.database, lambda c: reading.checkpoints(c, lease.job_id))
            job = inquire(self.database, lambda c: reading.get(c, lease.job_id))
            keeper.remember(rows)
            self.latest = dict(job["metrics"]) if job else {}
            self.earlier_seconds = sum(map(_seconds, earlier))
            self.scribe.put(lambda: sweep(self.database, self.storage, lease))
        keeper.remember(inherited.checkpoints)
        return state

    def _record(self, report: Report, keeper: Keeper) -> None:
        if isinstance(report, Stepped):
            self.pulse.progress = self.progress.after(report)
            if self.first_step is None:
                self.first_step = report.step
                norms = gradient_norms(keeper.experiment.model)
                told = {name: number(norm) for name, norm in norms.items()}
                event = EventRow("first_step", {"step": report.step, "gradient_norms": told})
                self.scribe.put(Batch(events=[event]))
        elif isinstance(report, InitialState):
            self._record_start(report, keeper)
        elif isinstance(report, StageStarted):
            told = {"stage": report.stage, "epochs": report.epochs}
            told |= {"trainable_parameters": report.trainable_parameters}
            event = EventRow("stage", {**told, "is_resumed": report.is_resumed})
            self.scribe.put(Batch(phase=report.stage, events=[event]))
        elif isinstance(report, EpochEnded):
            self._record_epoch(report, keeper)
        elif isinstance(report, StageEnded):
            self.stopped[report.stage] = report.reason
            if report.restored:
                self.stopped[report.stage] = f"{report.reason}, best weights restored"
        elif isinstance(report, Fitted) and any("restored" in r for r in self.stopped.values()):
            keeper.keep(report.snapshot(), report.stage, (), suffix="-restored")

    def _record_start(self, report: InitialState, keeper: Keeper) -> None:
        if self.board is not None:
            self.board.show(report.step, {})
        if report.checkpoint_keys:
            keeper.keep(report.snapshot(), report.stage, report.checkpoint_keys)

    def _record_epoch(self, report: EpochEnded, keeper: Keeper) -> None:
        at = now()
        rows = [
            MetricRow(
                name=name,
                split=split_of(name),
                stage=report.stage,
                step=report.step,
                epoch=report.epoch,
                value=value,
                at=at,
            )
            for name, value in report.metrics.items()
        ]
        self.latest |= {name: number(value) for name, value in report.metrics.items()}
        told = {"epoch": report.epoch, "stage": report.stage, "step": report.step}
        told |= {"epochs": self.spec.training.epochs, "metrics": dict(self.latest)}
        events = [EventRow("epoch", told, report.step)]
        events += [EventRow("note", {"text": text}, report.step) for text in report.notes]
        self.scribe.put(Batch(metrics=rows, events=events, latest=dict(self.latest)))
        if self.board is not None:
            # Before the checkpoint: what goes on from there finds it written.
            self.board.show(report.step, report.metrics)
        self._keep(report, keeper, report.checkpoint_keys)

    def _keep(self, report: EpochEnded | Stepped, keeper: Keeper, keys: tuple[str, ...]) -> None:
        keeper.keep(report.snapshot(), report.stage, keys)
        self.saved = time.monotonic()

    def _stop(self, report: StageStarted | Stepped, keeper: Keeper) -> int | None:
        """Whether to end here, and with which exit code."""
        if self.pulse.cancel.is_set():
            return CANCELLED
        if isinstance(report, StageStarted):  # no step since the last checkpoint
            return DRAINED if self.drain.is_set() else None
        if self.drain.is_set():
            self._keep(report, keeper, ())
            return DRAINED
        limit = self.spec.resources.max_runtime_seconds
        seconds = self.earlier_seconds + time.monotonic() - self.began
        if limit is not None and seconds > limit:
            self._keep(report, keeper, ())
            self.scribe.flush()
            raise OutOfTime
        is_due = time.monotonic() - self.saved >= self.settings.checkpoint_seconds
        if is_due and not report.ends_epoch and keeper.has_room:
            self._keep(report, keeper, ())
        return None

    def _finish(self, dataset: Dataset, experiment: Experiment, *, is_exact: bool) -> None:
        self.scribe.put(
            Batch(phase="evaluating", events=[EventRow("phase", {"phase": "evaluating"})])
        )
        self.scribe.flush()
        lease = self.assignment.lease
        batch, summary = evaluate_checkpoints(experiment, self.database, self.storage, lease)
        last = summary["last"]
        monitors = [one.monitor for one in self.spec.checkpoints if one.monitor]
        first = f"best_{monitors[0]}" if monitors else "last"
        stage = experiment.stages[-1].name
        place = {"stage": stage, "step": last["step"], "epoch": last["epoch"]}
        batch.metrics = test_metrics(summary, first, **place)
        self.latest |= {row.name: number(row.value) for row in batch.metrics}
        batch.latest = dict(self.latest)
        if self.board is not None:
            self.board.finish(last["step"], {row.name: row.value for row in batch.metrics})
        splits = experiment.splits
        result = {
            "epochs": last["epoch"],
            "steps": last["step"],
            "stages": self.stopped,
            "test": summary,
            "dataset": {
                "name": dataset.name,
                "content_hash": dataset.content_hash,
                "train": len(splits.train.labels),
                "validation": len(splits.validation.labels),
                "test": len(splits.test.labels),
            },
            "parameter_count": count_parameters(experiment.model),
            "resumed_inexact": not is_exact,
            "torch": torch.__version__,
        }

        def end(connection: sa.Connection) -> None:
            # At once: an attempt that is killed between the two would record its results again.
            record(connection, lease, batch)
            attempts.succeed(connection, lease, result)

        insist(self.database, end)


def _seconds(attempt: dict[str, Any]) -> float:
    """How long an attempt lasted; 0 for the one that is at work."""
    ended = attempt["ended_at"]
    return 0.0 if ended is None else (ended - attempt["started_at"]).total_seconds()
