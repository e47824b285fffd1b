"""One attempt of a job: build, resume, train, evaluate, finish.

Errors are not handled here: `process` turns them into the job's failure.
"""

import signal
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog
from pydantic import ValidationError

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
from worker.assignment import Assignment, ExitCode
from worker.data.mapped_images import MappedImages
from worker.registry import SpecError
from worker.runner.checkpoints import CheckpointWriter
from worker.runner.cost_meter import CostMeter
from worker.runner.diagnosis.resumed_watch import open_watch
from worker.runner.experiment import ON_HOST, build_experiment
from worker.runner.failures import Diagnosed, MaxRuntimeReached
from worker.runner.further_ranks import FurtherRanks
from worker.runner.heartbeat import Heartbeat
from worker.runner.progress import Progress
from worker.runner.recorder import Recorder, recorded_divergence
from worker.runner.restore import delete_earlier_orphans, load_from_other_job, load_latest
from worker.runner.results.evaluations import evaluate_checkpoints, test_metrics
from worker.runner.results.job_result import data_facts, job_result
from worker.runner.retry import read_with_retry, write_with_retry
from worker.runner.time_limit import TimeLimit
from worker.runner.watchdog import Watchdog
from worker.runner.writer import AttemptWriter
from worker.training.experiment import Experiment
from worker.training.reports import EpochEnded, Fitted, Report, StageStarted, Stepped
from worker.training.seed import machine_fingerprint
from worker.training.state import TrainingState

if TYPE_CHECKING:
    from worker.tensorboard.log import TensorBoardLog

log = structlog.get_logger()


class Attempt:
    """An attempt in this process, with its heartbeat and the thread that writes its records."""

    def __init__(
        self,
        assignment: Assignment,
        settings: Settings,
        database: Database,
        ranks: FurtherRanks | None = None,
    ) -> None:
        self.assignment = assignment
        self.settings = settings
        self.database = database
        self.ranks = ranks or FurtherRanks(assignment, settings)
        self.storage = Storage(settings.storage)
        self.writer = AttemptWriter(database, self.storage, assignment.lease)
        self.watchdog = Watchdog()
        self.time_limit = TimeLimit(assignment, database)
        checks = (self.watchdog.check, self.time_limit.check)
        self.heartbeat = Heartbeat(
            database, assignment.lease, *checks, on_spec=self.time_limit.update
        )
        self.progress = Progress()
        self.cost_meter = CostMeter(assignment)
        #: Set when the worker stops: the attempt then ends with a checkpoint.
        self.drain = threading.Event()
        #: Whether a job that was never stopped would have the same results, bit for bit.
        self.is_exact = True
        signal.signal(signal.SIGTERM, lambda *_: self.drain.set())

    @cached_property
    def spec(self) -> JobSpec:
        """The job's specification; read within `run`, so that an invalid one fails the job.

        Raises:
            SpecError: the stored specification is invalid.
        """
        try:
            return JobSpec.model_validate(self.assignment.spec)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise SpecError(f"The stored specification is invalid. {'; '.join(faults)}.") from error

    def run(self) -> ExitCode:
        """Train until the job is finished or has to stop; return the exit code."""
        self.time_limit.seconds = self.spec.resources.max_runtime_seconds
        dataset, experiment = build_experiment(
            self.spec, self.assignment, self.settings, self.database
        )
        if isinstance(experiment.splits.train.images, MappedImages):
            self._add_note(ON_HOST)
        checkpoints = CheckpointWriter(self.writer, experiment)
        data = data_facts(dataset, experiment)
        state, latest = self._resume(experiment, checkpoints, data)
        self.cost_meter.resume(is_new=state is None)
        tensorboard = self._open_tensorboard(experiment, state)
        watch = open_watch(experiment, self.assignment, state, self.database)
        recorder = Recorder(checkpoints, tensorboard, latest, watch)
        stopped = self._train(experiment, state, recorder)
        if stopped is not None:
            self.cost_meter.record_stopped(self.database)
            return stopped
        if self.assignment.epoch_limit is None:
            batch, summary = self._evaluate(experiment, recorder)
        else:  # a check of a patch does not look at the test split
            self.writer.flush()
            batch, summary = Batch(), {"last": recorder.finished}
        result = job_result(dataset, experiment, recorder.stages, summary, is_exact=self.is_exact)
        self._finish(batch, result)
        return ExitCode.DONE

    def _resume(
        self, experiment: Experiment, checkpoints: CheckpointWriter, data: dict[str, Any]
    ) -> tuple[TrainingState | None, dict[str, Any]]:
        """Return the state to resume from, None at the start, and the newest metrics before it.

        Records where the attempt begins, which deletes the rows after that state.
        """
        lease, inherited, latest = self.assignment.lease, Batch(), {}
        notes: list[str] = []
        state = load_latest(self.database, self.storage, lease, notes.append)
        origin = self.assignment.resume_from
        if state is None and origin is not None:
            state, inherited = load_from_other_job(
                self.database, self.storage, lease, origin, notes.append
            )
        if state is None and notes:
            notes.append("Training starts from the beginning.")
        for text in notes:
            self._add_note(text)
        first_step, first_epoch = (0, 0) if state is None else (state.step, state.epoch)
        fingerprint = {
            **machine_fingerprint(experiment.device, self.ranks.count),
            "dataset": data,
        }
        write_with_retry(
            self.database,
            lambda c: begin_attempt(
                c, lease, first_step=first_step, first_epoch=first_epoch, fingerprint=fingerprint
            ),
        )
        if lease.attempt > 1:
            latest = self._continue_job(checkpoints)
        if inherited.checkpoints:
            checkpoints.set_best(inherited.checkpoints)
            latest, inherited.best = dict(inherited.latest or {}), dict(checkpoints.best)
            self.writer.put(inherited)
        return state, latest

    def _continue_job(self, checkpoints: CheckpointWriter) -> dict[str, Any]:
        """Take over what earlier attempts of the job left; return the job's newest metrics."""
        job_id = self.assignment.job_id
        earlier = read_with_retry(self.database, lambda c: queries.list_attempts(c, job_id))
        rows = read_with_retry(self.database, lambda c: queries.list_checkpoints(c, job_id))
        job = read_with_retry(self.database, lambda c: queries.get_job_in_part(c, job_id))
        checkpoints.set_best(rows)
        self.time_limit.add(earlier)
        lease = self.assignment.lease
        self.writer.put(lambda: delete_earlier_orphans(self.database, self.storage, lease))
        return dict(job.metrics) if job else {}

    def _open_tensorboard(
        self, experiment: Experiment, state: TrainingState | None
    ) -> "TensorBoardLog | None":
        if self.spec.tracking.tensorboard is None:
            return None
        from worker.tensorboard.log import TensorBoardLog  # noqa: PLC0415 - a third of a second, for few jobs

        return TensorBoardLog(
            self.storage.tensorboard(self.assignment.job_id),
            self.spec.tracking.tensorboard,
            experiment,
            attempt=self.assignment.lease.attempt,
            step=None if state is None else state.step,
            add_note=self._add_note,
        )

    def _train(
        self, experiment: Experiment, state: TrainingState | None, recorder: Recorder
    ) -> ExitCode | None:
        """Train to the end and return None, or return the exit code where the job has to stop."""
        with self.ranks.training(experiment, state) as reports, recorded_divergence(recorder):
            for report in self.watchdog.watch(reports):
                self.writer.raise_error()
                if isinstance(report, StageStarted):
                    self.progress.restart_clock()
                elif isinstance(report, Stepped):
                    self.heartbeat.progress = self.progress.update(report)
                recorder.record(report)
                self.cost_meter.observe(report)
                if self._is_at_limit(report, experiment.epochs):
                    break
                if isinstance(report, (StageStarted, Stepped)):
                    stopped = self._stop(report, recorder)
                    if stopped is not None:
                        self.writer.flush()
                        return stopped
                elif isinstance(report, Fitted) and state is not None:
                    # The fingerprint has a mark for each reason why bits may differ.
                    machine = machine_fingerprint(experiment.device, self.ranks.count)
                    self.is_exact = report.snapshot().fingerprint == machine
        return None

    def _is_at_limit(self, report: Report, epochs: int) -> bool:
        """Return whether the training ends here; at the last epoch it ends by itself."""
        limit = self.assignment.epoch_limit or epochs
        return isinstance(report, EpochEnded) and limit <= report.epoch < epochs

    def _stop(self, report: StageStarted | Stepped, recorder: Recorder) -> ExitCode | None:
        """Return the exit code where the job has to stop; take the checkpoint that is due.

        Raises:
            MaxRuntimeReached: the job has used up its time. Its last checkpoint is written.
            Diagnosed: an error was found that ends the job. Its last checkpoint is written.
        """
        requested = self._requested_exit()
        if requested == ExitCode.YIELDED and not recorder.can_give_way(report):
            requested = None  # but at a later step
        if requested is not None:
            has_stepped = isinstance(report, Stepped)  # since the last checkpoint
            if requested != ExitCode.CANCELLED and has_stepped:
                recorder.write_checkpoint(report)
            return requested
        if isinstance(report, StageStarted):
            return None
        if self.time_limit.should_stop():
            recorder.write_checkpoint(report)
            self.writer.flush()
            raise MaxRuntimeReached(self.time_limit.seconds, report.step)
        finding = None if recorder.watch is None else recorder.watch.hopeless
        if finding is not None and report.step < report.steps:
            recorder.write_checkpoint(report)
            self.writer.flush()
            raise Diagnosed(finding, self.assignment.job_id, step=report.step, steps=report.steps)
        is_due = recorder.seconds_since_checkpoint >= self.settings.checkpoint_seconds
        if is_due and not report.ends_epoch and recorder.is_checkpoint_available:
            recorder.write_checkpoint(report)
        return None

    def _requested_exit(self) -> ExitCode | None:
        if self.heartbeat.cancel.is_set():
            return ExitCode.CANCELLED
        if self.heartbeat.pause.is_set():
            return ExitCode.PAUSED
        if self.drain.is_set():
            return ExitCode.DRAINED
        return ExitCode.YIELDED if self.heartbeat.yields.is_set() else None

    def _evaluate(self, experiment: Experiment, recorder: Recorder) -> tuple[Batch, dict[str, Any]]:
        """Evaluate the checkpoints on the test split.

        Returns:
            What to store, and the test metrics of the evaluated checkpoints by name.
        """
        event = NewEvent("phase", {"phase": "evaluating"})
        self.writer.put(Batch(phase="evaluating", events=[event]))
        self.writer.flush()
        lease = self.assignment.lease
        batch, summary = evaluate_checkpoints(experiment, self.database, self.storage, lease)
        last, stage = summary["last"], experiment.stages[-1].name
        name = default_checkpoint_name(rule.monitor for rule in self.spec.checkpoints)
        batch.metrics = test_metrics(
            summary, name, stage=stage, step=last["step"], epoch=last["epoch"]
        )
        values = {metric.name: json_number(metric.value) for metric in batch.metrics}
        batch.latest = recorder.latest | values
        return batch, summary

    def _finish(self, batch: Batch, result: dict[str, Any]) -> None:
        """Record the test results and the job's success."""
        lease = self.assignment.lease

        def succeed(connection: sa.Connection) -> None:
            # In one transaction: an attempt killed between two would record its results again.
            record(connection, lease, batch)
            attempts.succeed(connection, lease, result)
            self.cost_meter.record(connection, is_last=True)

        self.heartbeat.stop()
        write_with_retry(self.database, succeed)

    def _add_note(self, text: str) -> None:
        """Report something to the user: as an event, and in the attempt's log."""
        log.warning(text)
        self.writer.put(Batch(events=[NewEvent("note", {"text": text})]))
