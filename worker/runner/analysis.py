"""One attempt of an analysis: load the checkpoint, analyse it, write the files, finish.

An attempt that stops, or whose process is killed, leaves partial results, from which the next
attempt continues.
"""

import signal
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
import torch
from torch import Tensor

from shared.database import Database
from shared.errors import NotFound
from shared.jobs import analyses as stored_analyses
from shared.jobs import attempts, queries
from shared.jobs.analyses import AnalysisRow
from shared.jobs.checkpoint_names import find_checkpoint
from shared.jobs.recording import Batch, record
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_numbers
from shared.settings import Settings
from shared.spec import JobSpec
from shared.storage import Storage
from worker.analyses.outcome import Outcome
from worker.analyses.partial_results import PartialResults
from worker.analyses.subject import AnalysisRefused, Stopped, Subject
from worker.assignment import Assignment, ExitCode
from worker.registry import analyses
from worker.runner.analysis_failures import analysis_failure_of
from worker.runner.analysis_files import write_files
from worker.runner.analysis_memory import available_mib, check_available, exceeded
from worker.runner.experiment import build_experiment
from worker.runner.failures import MaxRuntimeReached, is_device_fault, is_out_of_memory
from worker.runner.gpu import is_limit_predicted
from worker.runner.heartbeat import Heartbeat
from worker.runner.partial_file import PartialFile
from worker.runner.retry import read_with_retry, write_with_retry
from worker.runner.time_limit import TimeLimit
from worker.runner.watchdog import Watchdog
from worker.runner.writer import AttemptWriter
from worker.training import checkpoint
from worker.training.experiment import Experiment, Stage
from worker.training.seed import machine_fingerprint

log = structlog.get_logger()

Weights = dict[str, Tensor]


class AnalysisAttempt:
    """An attempt of an analysis in this process, with its heartbeat."""

    def __init__(self, assignment: Assignment, settings: Settings, database: Database) -> None:
        self.assignment = assignment
        self.settings = settings
        self.database = database
        self.storage = Storage(settings.storage)
        self.writer = AttemptWriter(database, self.storage, assignment.lease)
        self.watchdog = Watchdog()
        self.time_limit = TimeLimit(assignment, database, analysis_failure_of)
        checks = (self.watchdog.check, self.time_limit.check)
        self.heartbeat = Heartbeat(
            database, assignment.lease, *checks, on_spec=self.time_limit.update
        )
        #: Set when the worker stops: the analysis is then queued again.
        self.drain = threading.Event()
        self._partial = PartialResults()
        #: From when and where the time that is left is estimated.
        self._began, self._resumed_at = time.monotonic(), 0
        signal.signal(signal.SIGTERM, lambda *_: self.drain.set())

    def run(self) -> ExitCode:
        """Analyse until the end, or until the attempt has to stop; return the exit code."""
        row = self._read_row()
        available = available_mib(self.assignment, self.settings)
        check_available(row.memory_mib, available)
        self._read_time_limit()
        spec = JobSpec.model_validate(self.assignment.spec)
        try:
            return self._analyse(row, spec)
        except Stopped:
            if not self.heartbeat.cancel.is_set():
                return ExitCode.DRAINED if self.drain.is_set() else ExitCode.YIELDED
            self.storage.delete_partial_results(row.id)
            return ExitCode.CANCELLED
        except Exception as error:
            is_out = is_out_of_memory(error)
            # It continues on another GPU, or with more memory.
            if not is_device_fault(error) and not (is_out and is_limit_predicted(self.assignment)):
                self.storage.delete_partial_results(row.id)
            if is_out:
                raise exceeded(row.memory_mib, available) from error
            raise

    def _analyse(self, row: AnalysisRow, spec: JobSpec) -> ExitCode:
        """Compute, write the files and finish.

        Raises:
            Stopped: the attempt has to stop. Its partial results are written.
            MaxRuntimeReached: the analysis has used up its time.
        """
        subject = self._subject(row, spec)
        file = PartialFile(
            self.database,
            self.storage,
            self.assignment.lease,
            machine_fingerprint(subject.experiment.device),
        )
        self._partial = file.results
        self._partial.on_change = partial(self._save, file)
        subject = replace(subject, partial=self._partial)
        self._began = time.monotonic()
        try:
            with torch.random.fork_rng(devices=[]):
                outcome = analyses.bind(row.kind, row.parameters)(subject)
        except Stopped:
            file.write()
            raise
        finally:
            self.watchdog.end_step()
        self._finish(row, outcome)
        self.storage.delete_partial_results(row.id)
        return ExitCode.DONE

    def _finish(self, row: AnalysisRow, outcome: Outcome) -> None:
        artifacts = write_files(self.storage, row.id, row.kind, outcome)
        lease = self.assignment.lease
        result = json_numbers({**outcome.result, "summary": list(outcome.summary)})

        def succeed(connection: sa.Connection) -> None:
            record(connection, lease, Batch(artifacts=artifacts))
            attempts.succeed(connection, lease, result)

        self.heartbeat.stop()
        write_with_retry(self.database, succeed)

    def _read_time_limit(self) -> None:
        self.time_limit.update(self.assignment.spec)
        job_id = self.assignment.job_id
        self.time_limit.add(
            read_with_retry(self.database, lambda c: queries.list_attempts(c, job_id))
        )

    def _read_row(self) -> AnalysisRow:
        job_id = self.assignment.job_id
        row = read_with_retry(self.database, lambda c: stored_analyses.get_analysis(c, job_id))
        if row is None:
            raise AnalysisRefused("The analysed job was deleted.")
        return row

    def _subject(self, row: AnalysisRow, spec: JobSpec) -> Subject:
        _, experiment = build_experiment(spec, self.assignment, self.settings, self.database)
        initial = {name: t.clone() for name, t in experiment.model.state_dict().items()}
        analysed = self._find_checkpoint(row.subject_id, row.checkpoint_id)
        experiment.model.load_state_dict(self._load(analysed))
        stage = _stage_of(experiment, analysed)
        specs = spec.fine_tuning.stages if spec.fine_tuning else ()
        own = next((each.optimizer for each in specs if each.name == stage.name), None)
        optimizer = own or spec.optimizer
        return Subject(
            experiment=experiment,
            stage=stage,
            optimizer={"name": optimizer.name, **optimizer.parameters},
            test=self._test_results(row),
            monitor=analysed.monitor,
            load_weights=partial(self._load_weights, initial),
            check=self._check,
            report=self._report,
        )

    def _load_weights(self, initial: Weights, checkpoint_id: str | None) -> Weights:
        """Return the weights of another checkpoint, or the initial weights of the job."""
        if checkpoint_id is None:
            return initial
        read = partial(queries.get_job_of, checkpoint_id=checkpoint_id)
        job_id = read_with_retry(self.database, read) or ""
        return self._load(self._find_checkpoint(job_id, checkpoint_id))

    def _find_checkpoint(self, job_id: str, checkpoint_id: str) -> CheckpointRow:
        rows = read_with_retry(self.database, lambda c: queries.list_checkpoints(c, job_id))
        try:
            return find_checkpoint(rows, checkpoint_id, with_previous=True)
        except NotFound as error:
            raise AnalysisRefused(
                f"The checkpoint {checkpoint_id} no longer exists: a later one has replaced it."
            ) from error

    def _load(self, row: CheckpointRow) -> Weights:
        return checkpoint.load_weights(self.storage.root / row.directory)

    def _test_results(self, row: AnalysisRow) -> dict[str, Any] | None:
        rows = read_with_retry(self.database, lambda c: queries.list_evaluations(c, row.subject_id))
        return next((r.data for r in rows if r.checkpoint_id == row.checkpoint_id), None)

    def _check(self) -> None:
        """Begin a step.

        Raises:
            Stopped: a user cancels the analysis, its worker stops, or it gives way to a job.
            MaxRuntimeReached: the analysis has used up its time.
        """
        self.watchdog.end_step()
        # An attempt gives way once it has computed something that the next does not repeat.
        is_to_yield = self.heartbeat.yields.is_set() and self._partial.has_computed
        if self.heartbeat.cancel.is_set() or self.drain.is_set() or is_to_yield:
            raise Stopped
        if self.time_limit.should_stop():
            raise MaxRuntimeReached(self.time_limit.seconds)
        self.watchdog.begin_step()

    def _save(self, file: PartialFile) -> None:
        """Write the partial results if that is due; waiting for the disk is no part of a step."""
        self.watchdog.end_step()
        file.write_if_due()
        self.watchdog.begin_step()

    def _report(self, done: int, total: int) -> None:
        self._check()
        if not self._partial.has_computed:  # so far, an earlier attempt did
            self._began, self._resumed_at = time.monotonic(), done
        seconds, own = time.monotonic() - self._began, done - self._resumed_at
        self.heartbeat.progress = {
            "step": done,
            "steps": total,
            "fraction": round(done / max(total, 1), 6),
            "eta_seconds": round(seconds * (total - done) / own, 1) if own else None,
        }


def _stage_of(experiment: Experiment, row: CheckpointRow) -> Stage:
    """Return the stage in which a checkpoint was made; the last where none has its name."""
    named = (stage for stage in experiment.stages if stage.name == row.stage)
    return next(named, experiment.stages[-1])
