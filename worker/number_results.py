"""The results where a number is asked for: what is said of a checkpoint, and its file."""

from typing import Any

from shared.jobs.checkpoints import name_of
from shared.storage import Storage
from worker.outcome import Outcome
from worker.tables import write_numbers
from worker.training.evaluation import NumbersEvaluation
from worker.wire import number


def numbers_outcome(
    evaluation: NumbersEvaluation, storage: Storage, job_id: str, row: dict[str, Any]
) -> Outcome:
    """Write the file of a checkpoint's evaluation; arguments as of `classes_outcome`."""
    table = write_numbers(storage, job_id, name_of(row), evaluation)
    figures = {"loss": evaluation.loss, **evaluation.metrics}
    known = {key: number(value) for key, value in figures.items() if value is not None}
    return Outcome(figures=known, data=known, predictions=table.path, artifacts=[table])
