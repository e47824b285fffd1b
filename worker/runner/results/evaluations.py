"""The evaluation of a job's best and last checkpoints on the test split, at the end of the job."""

from typing import Any

from shared.clock import now
from shared.database import Database
from shared.jobs import queries
from shared.jobs.attempts import Lease
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, NewEvaluation, NewMetric
from shared.jobs.rows import CheckpointRow
from shared.storage import Storage
from worker.runner.results.classification import classification_result
from worker.runner.results.regression import regression_result
from worker.runner.results.result import CheckpointResult
from worker.runner.retry import read_with_retry
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.evaluation import (
    ClassificationEvaluation,
    RegressionEvaluation,
    evaluate_classification,
    evaluate_regression,
)
from worker.training.experiment import Experiment
from worker.training.metrics import PREFIXES, metric_of

Evaluation = ClassificationEvaluation | RegressionEvaluation

#: The kinds of checkpoints that are evaluated.
EVALUATED_KINDS = {"best", "last"}


def evaluate_checkpoints(
    experiment: Experiment, database: Database, storage: Storage, lease: Lease
) -> tuple[Batch, dict[str, Any]]:
    """Evaluate the job's best and last checkpoints on the test split, and write their files.

    A best checkpoint that cannot be read is left out, with a note for the user.

    Returns:
        What to store, and by the name of each checkpoint its id, epoch, step and metrics.

    Raises:
        CheckpointCorrupt: the last checkpoint cannot be read.
    """
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    batch, summary = Batch(), {}
    evaluations: dict[str, Evaluation] = {}
    for row in rows:
        name, directory = checkpoint_name(row), row.directory
        if row.kind not in EVALUATED_KINDS:
            continue
        if directory not in evaluations:
            try:
                weights = checkpoint.load_weights(storage.root / directory)
            except CheckpointCorrupt as error:
                if row.kind == "last":
                    raise
                text = f"The checkpoint {name} is damaged and was not tested. {error}"
                batch.events.append(NewEvent("note", {"text": text}))
                continue
            experiment.model.load_state_dict(weights)
            evaluations[directory] = _evaluate(experiment)
        result = _result(evaluations[directory], experiment, storage, lease.job_id, row)
        batch.evaluations.append(
            NewEvaluation(
                checkpoint_id=row.id,
                split="test",
                data=result.data,
                predictions=result.predictions,
            )
        )
        batch.artifacts += result.artifacts
        position = {"checkpoint": row.id, "epoch": row.epoch, "step": row.step}
        summary[name] = {**position, **result.metrics}
    return batch, summary


def test_metrics(
    summary: dict[str, Any], name: str, *, stage: str, step: int, epoch: int
) -> list[NewMetric]:
    """Return the metrics of one checkpoint under their names for the test split.

    Args:
        summary: of the evaluated checkpoints, by name.
        name: of the checkpoint; where it was not evaluated, `last` is used.
        stage: the last stage.
        step: steps of the whole job.
        epoch: epochs of the whole job.
    """
    chosen = summary.get(name) or summary["last"]
    position = {"checkpoint", "epoch", "step"}
    metrics = {PREFIXES["test"] + key: v for key, v in chosen.items() if key not in position}
    return [
        NewMetric(
            name=metric,
            split=metric_of(metric).split,
            stage=stage,
            step=step,
            epoch=epoch,
            value=float(value),
            at=now(),
        )
        for metric, value in metrics.items()
    ]


def _evaluate(experiment: Experiment) -> Evaluation:
    model, test = experiment.model, experiment.splits.test
    if experiment.class_names:
        return evaluate_classification(experiment, model, test, experiment.ks)
    return evaluate_regression(experiment, model, test)


def _result(
    evaluation: Evaluation,
    experiment: Experiment,
    storage: Storage,
    job_id: str,
    row: CheckpointRow,
) -> CheckpointResult:
    if isinstance(evaluation, ClassificationEvaluation):
        return classification_result(evaluation, experiment.class_names, storage, job_id, row)
    return regression_result(evaluation, storage, job_id, row)
