"""The test results of a checkpoint that predicts numbers, and their file."""

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
    """Write the predictions of a checkpoint to a file, and return its results.

    Args:
        evaluation: of the checkpoint on the test split.
        storage: where the file is written.
        job_id: the checkpoint's job.
        row: the checkpoint.
    """
    table = write_numbers(storage, job_id, checkpoint_name(row), evaluation)
    data_loss = evaluation.data_loss
    losses = {"loss": data_loss + evaluation.penalty, "data_loss": data_loss}
    values = losses | evaluation.metrics
    metrics = {name: json_number(value) for name, value in values.items() if value is not None}
    return CheckpointResult(
        metrics=metrics, data=metrics, predictions=table.path, artifacts=[table]
    )
