"""One attempt: build, consume `fit()`, record. What goes wrong here is the runner's to catch."""

import signal
import threading
import time
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog
import torch

from shared.database import Database
from shared.jobs import attempts, queries
from shared.jobs.checkpoint_names import default_checkpoint_name
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, record
from shared.jobs.resumption import begin_attempt
from shared.json_numbers import json_number
from shared.settings import Settings
from shared.spec import JobSpec
from shared.storage import Storage
from worker import data as datasets
from worker.assignment import Assignment, ExitCode
from worker.build import Data, build, is_regression
from worker.data.dataset import Dataset
from worker.data.tensors import take
from worker.runner.checkpoints import CheckpointWriter, from_another, newest, sweep
from worker.runner.failures import OutOfTime
from worker.runner.heartbeat import Heartbeat
from worker.runner.progress import Progress
from worker.runner.recorder import Recorder
from worker.runner.results.evaluations import evaluate_checkpoints, test_metrics
from worker.runner.time_limit import TimeLimit
from worker.runner.watchdog import Watchdog
from worker.runner.weights import fetch
from worker.runner.writer import Writer, read_with_retry, write_with_retry
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.meta_model import count_parameters
from worker.training.reports import Fitted, StageStarted, Stepped
from worker.training.seed import machine_fingerprint
from worker.training.state import TrainingState

if TYPE_CHECKING:
    from worker.tensorboard.log import TensorBoardLog

log = structlog.get_logger()


class Attempt:
    """An attempt on its way."""

    def __init__(self, assignment: Assignment, settings: Settings, database: Database) -> None:
        self.assignment = assignment
        self.settings = settings
        self.database = database
        self.storage = Storage(settings.storage)
        self.scribe = Writer(database, self.storage, assignment.lease)
        self.stillness = Watchdog()
        self.time_limit = TimeLimit(assignment, database)
        looks = (self.stillness.look, self.time_limit.look)
        self.pulse = Heartbeat(database, assignment.lease, *looks)
        self.drain = threading.Event()
        self.progress = Progress()
        signal.signal(signal.SIGTERM, lambda *_: self.drain.set())

    @cached_property
    def spec(self) -> JobSpec:
        """What was asked for; read inside `run`, so that a fault in it is the job's failure."""
        return JobSpec.model_validate(self.assignment.spec)

    def run(self) -> int:
        """Train to the end, or until somebody wants it otherwise; return the exit code."""
        self.time_limit.seconds = self.spec.resources.max_runtime_seconds
        dataset, experiment = self._build()
        keeper = CheckpointWriter(self.scribe, experiment)
        state, latest = self._resume(experiment, keeper)
        is_exact = True
        recorder = Recorder(keeper, self._open_board(experiment, state), latest)
        # Closed, however it ends: torch's settings are put back.
        with closing(fit(experiment, state=state)) as reports:
            for report in self.stillness.watch(reports):
                self.scribe.check()
                if isinstance(report, StageStarted):
                    self.progress.begin()
                elif isinstance(report, Stepped):
                    self.pulse.progress = self.progress.after(report)
                recorder.record(report)
                if isinstance(report, (StageStarted, Stepped)):
                    ended = self._stop(report, recorder)
                    if ended is not None:
                        self.scribe.flush()
                        return ended
                elif isinstance(report, Fitted) and state is not None:
                    # What else the last bits came to depend on is in it beside the machine.
                    is_exact = report.snapshot().fingerprint == machine_fingerprint(
                        experiment.device
                    )
        self._finish(dataset, experiment, recorder, is_exact=is_exact)
        return ExitCode.DONE

    def _build(self) -> tuple[Dataset, Experiment]:
        home = self.settings.home
        dataset, chosen = datasets.load_splits(
            self.assignment.spec["dataset"],
            is_number=is_regression(self.spec),
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

    def _open_board(
        self, experiment: Experiment, state: TrainingState | None
    ) -> "TensorBoardLog | None":
        """Event files for TensorBoard, where they were asked for."""
        if self.spec.tracking.tensorboard is None:
            return None
        from worker.tensorboard.log import TensorBoardLog  # noqa: PLC0415 - a third of a second, for few jobs

        return TensorBoardLog(
            self.storage.tensorboard(self.assignment.job_id),
            self.spec.tracking.tensorboard,
            experiment,
            attempt=self.assignment.lease.attempt,
            step=None if state is None else state.step,
            add_note=self._tell,
        )

    def _tell(self, text: str) -> None:
        self.scribe.put(Batch(events=[NewEvent("note", {"text": text})]))

    def _resume(
        self, experiment: Experiment, keeper: CheckpointWriter
    ) -> tuple[TrainingState | None, dict[str, Any]]:
        """Where to go on, None at the start, and the newest metrics from before it."""
        lease, inherited, latest = self.assignment.lease, Batch(), {}
        state = newest(self.database, self.storage, lease, self._tell)
        if state is None and self.assignment.resume_from is not None:
            origin = self.assignment.resume_from
            state, inherited = from_another(self.database, self.storage, lease, origin, self._tell)
        first_step, first_epoch = (0, 0) if state is None else (state.step, state.epoch)
        known = machine_fingerprint(experiment.device)
        write_with_retry(
            self.database,
            lambda c: begin_attempt(
                c, lease, first_step=first_step, first_epoch=first_epoch, fingerprint=known
            ),
        )
        if lease.attempt > 1:
            earlier = read_with_retry(
                self.database, lambda c: queries.list_attempts(c, lease.job_id)
            )
            rows = read_with_retry(
                self.database, lambda c: queries.list_checkpoints(c, lease.job_id)
            )
            job = read_with_retry(self.database, lambda c: queries.get_job(c, lease.job_id))
            keeper.remember(rows)
            latest = dict(job.metrics) if job else {}
            self.time_limit.add(earlier)
            self.scribe.put(lambda: sweep(self.database, self.storage, lease))
        if inherited.checkpoints:
            keeper.remember(inherited.checkpoints)
            latest, inherited.best = dict(inherited.latest or {}), dict(keeper.best)
            self.scribe.put(inherited)
        return state, latest

    def _stop(self, report: StageStarted | Stepped, recorder: Recorder) -> int | None:
        """Whether to end here, and with which exit code."""
        if self.pulse.cancel.is_set():
            return ExitCode.CANCELLED
        if isinstance(report, StageStarted):  # no step since the last checkpoint
            return ExitCode.DRAINED if self.drain.is_set() else None
        if self.drain.is_set():
            recorder.keep(report)
            return ExitCode.DRAINED
        if self.time_limit.heed():
            recorder.keep(report)
            self.scribe.flush()
            raise OutOfTime
        is_due = time.monotonic() - recorder.kept_at >= self.settings.checkpoint_seconds
        if is_due and not report.ends_epoch and recorder.has_room:
            recorder.keep(report)
        return None

    def _finish(
        self, dataset: Dataset, experiment: Experiment, recorder: Recorder, *, is_exact: bool
    ) -> None:
        self.scribe.put(
            Batch(phase="evaluating", events=[NewEvent("phase", {"phase": "evaluating"})])
        )
        self.scribe.flush()
        lease = self.assignment.lease
        batch, summary = evaluate_checkpoints(experiment, self.database, self.storage, lease)
        last = summary["last"]
        first = default_checkpoint_name(one.monitor for one in self.spec.checkpoints)
        stage = experiment.stages[-1].name
        place = {"stage": stage, "step": last["step"], "epoch": last["epoch"]}
        batch.metrics = test_metrics(summary, first, **place)
        tested = {row.name: row.value for row in batch.metrics}
        batch.latest = recorder.latest | {
            name: json_number(value) for name, value in tested.items()
        }
        if recorder.board is not None:
            recorder.board.write_test_metrics(last["step"], tested)
        splits = experiment.splits
        result = {
            "epochs": last["epoch"],
            "steps": last["step"],
            "stages": recorder.stages,
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

        write_with_retry(self.database, end)
