"""The end of a job: each best checkpoint is loaded anew and evaluated on the test split."""

from typing import Any

from shared.clock import now
from shared.database import Database
from shared.errors import NotFound
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
from worker.runner.writer import read_with_retry
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

EVALUATED = {"best", "last"}


def evaluate_checkpoints(
    experiment: Experiment, database: Database, storage: Storage, lease: Lease
) -> tuple[Batch, dict[str, Any]]:
    """Evaluate the job's best checkpoints and its last; return what to store and a summary."""
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, lease.job_id))
    batch, summary = Batch(), {}
    done: dict[str, ClassificationEvaluation | RegressionEvaluation] = {}
    for row in rows:
        name, directory = checkpoint_name(row), row.directory
        if row.kind not in EVALUATED:
            continue
        if directory not in done:
            try:
                weights = checkpoint.load_weights(storage.path(directory))
            except (CheckpointCorrupt, NotFound) as error:
                if row.kind == "last":
                    raise
                batch.events.append(NewEvent("note", {"text": f"{name} is lost: {error}"}))
                continue
            experiment.model.load_state_dict(weights)
            done[directory] = _evaluated(experiment)
        found = _outcome(done[directory], experiment, storage, lease.job_id, row)
        batch.evaluations.append(
            NewEvaluation(
                checkpoint_id=row.id,
                split="test",
                data=found.data,
                predictions=found.predictions,
            )
        )
        batch.artifacts += found.artifacts
        place = {"checkpoint": row.id, "epoch": row.epoch, "step": row.step}
        summary[name] = {**place, **found.figures}
    return batch, summary


def _evaluated(experiment: Experiment) -> ClassificationEvaluation | RegressionEvaluation:
    model, test = experiment.model, experiment.splits.test
    if experiment.class_names:
        return evaluate_classification(experiment, model, test, experiment.ks)
    return evaluate_regression(experiment, model, test)


def _outcome(
    evaluation: ClassificationEvaluation | RegressionEvaluation,
    experiment: Experiment,
    storage: Storage,
    job_id: str,
    row: CheckpointRow,
) -> CheckpointResult:
    if isinstance(evaluation, ClassificationEvaluation):
        return classification_result(evaluation, experiment.class_names, storage, job_id, row)
    return regression_result(evaluation, storage, job_id, row)


def test_metrics(
    summary: dict[str, Any], first: str, *, stage: str, step: int, epoch: int
) -> list[NewMetric]:
    """The figures of one checkpoint as `test_…` metrics."""
    chosen = summary.get(first) or summary["last"]
    place = {"checkpoint", "epoch", "step"}
    metrics = {PREFIXES["test"] + name: v for name, v in chosen.items() if name not in place}
    return [
        NewMetric(
            name=name,
            split=metric_of(name).split,
            stage=stage,
            step=step,
            epoch=epoch,
            value=float(value),
            at=now(),
        )
        for name, value in metrics.items()
    ]
