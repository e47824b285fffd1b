"""The watch of an attempt, with the findings of the state from which the attempt resumes."""

from typing import Any

from shared.database import Database
from shared.jobs import queries
from shared.jobs.findings import read_watch
from worker.assignment import Assignment
from worker.runner.diagnosis.watch import Watch
from worker.runner.retry import read_with_retry
from worker.training.experiment import Experiment
from worker.training.state import TrainingState


def open_watch(
    experiment: Experiment, assignment: Assignment, state: TrainingState | None, database: Database
) -> Watch | None:
    """Return the watch of a training, at the findings of its state; None if it is off."""
    chosen = assignment.spec.get("diagnostics") or {}
    if chosen.get("mode") == "off":
        return None
    job_id, origin = assignment.job_id, assignment.resume_from
    watch = Watch(experiment, assignment.spec, job_id=job_id)
    if state is not None:
        data = _stored(database, job_id, state)
        is_other_job = data is None and origin is not None
        if is_other_job and origin is not None:
            other = read_with_retry(database, lambda c: queries.get_job_of(c, origin))
            data = None if other is None else _stored(database, other, state)
        watch.resume(state.position, data, is_other_job=is_other_job)
    return watch


def _stored(database: Database, job_id: str, state: TrainingState) -> dict[str, Any] | None:
    return read_with_retry(database, lambda c: read_watch(c, job_id, state.step, state.epoch))
