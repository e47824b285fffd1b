"""The results where a number is asked for: what is said of a checkpoint, and its file."""

from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_number
from shared.storage import Storage
from worker.runner.results.csv_files import write_numbers
from worker.runner.results.result import CheckpointResult
from worker.training.evaluation import RegressionEvaluation


def regression_result(
    evaluation: RegressionEvaluation, storage: Storage, job_id: str, row: CheckpointRow
) -> CheckpointResult:
    """Write the file of a checkpoint's evaluation; arguments as of `classification_result`."""
    table = write_numbers(storage, job_id, checkpoint_name(row), evaluation)
    figures = {"loss": evaluation.loss, **evaluation.metrics}
    known = {key: json_number(value) for key, value in figures.items() if value is not None}
    return CheckpointResult(figures=known, data=known, predictions=table.path, artifacts=[table])
