"""The end of a job: each best checkpoint is loaded anew and evaluated on the test split."""

from typing import Any

from shared.clock import now
from shared.database import Database
from shared.errors import NotFound
from shared.jobs import reading
from shared.jobs.attempts import Lease
from shared.jobs.checkpoints import name_of
from shared.jobs.events import EventRow
from shared.jobs.recording import Batch, EvaluationRow, MetricRow
from shared.storage import Storage
from worker.class_results import classes_outcome
from worker.number_results import numbers_outcome
from worker.outcome import Outcome
from worker.scribe import inquire
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.evaluation import (
    Evaluation,
    NumbersEvaluation,
    evaluate,
    evaluate_numbers,
)
from worker.training.experiment import Experiment

EVALUATED = {"best", "last"}


def evaluate_checkpoints(
    experiment: Experiment, database: Database, storage: Storage, lease: Lease
) -> tuple[Batch, dict[str, Any]]:
    """Evaluate the job's best checkpoints and its last; return what to store and a summary."""
    rows = inquire(database, lambda c: reading.checkpoints(c, lease.job_id))
    batch, summary = Batch(), {}
    done: dict[str, Evaluation | NumbersEvaluation] = {}
    for row in rows:
        name, directory = name_of(row), row["directory"]
        if row["kind"] not in EVALUATED:
            continue
        if directory not in done:
            try:
                weights = checkpoint.load_weights(storage.path(directory))
            except (CheckpointCorrupt, NotFound) as error:
                if row["kind"] == "last":
                    raise
                batch.events.append(EventRow("note", {"text": f"{name} is lost: {error}"}))
                continue
            experiment.model.load_state_dict(weights)
            done[directory] = _evaluated(experiment)
        found = _outcome(done[directory], experiment, storage, lease.job_id, row)
        batch.evaluations.append(
            EvaluationRow(
                checkpoint_id=row["id"],
                split="test",
                data=found.data,
                predictions=found.predictions,
            )
        )
        batch.artifacts += found.artifacts
        place = {"checkpoint": row["id"], "epoch": row["epoch"], "step": row["step"]}
        summary[name] = {**place, **found.figures}
    return batch, summary


def _evaluated(experiment: Experiment) -> Evaluation | NumbersEvaluation:
    model, test = experiment.model, experiment.splits.test
    if experiment.class_names:
        return evaluate(experiment, model, test, experiment.ks)
    return evaluate_numbers(experiment, model, test)


def _outcome(
    evaluation: Evaluation | NumbersEvaluation,
    experiment: Experiment,
    storage: Storage,
    job_id: str,
    row: dict[str, Any],
) -> Outcome:
    if isinstance(evaluation, Evaluation):
        return classes_outcome(evaluation, experiment.class_names, storage, job_id, row)
    return numbers_outcome(evaluation, storage, job_id, row)


def test_metrics(
    summary: dict[str, Any], first: str, *, stage: str, step: int, epoch: int
) -> list[MetricRow]:
    """The figures of one checkpoint as `test_…` metrics."""
    chosen = summary.get(first) or summary["last"]
    place = {"checkpoint", "epoch", "step"}
    return [
        MetricRow(
            name=f"test_{name}",
            split="test",
            stage=stage,
            step=step,
            epoch=epoch,
            value=float(value),
            at=now(),
        )
        for name, value in chosen.items()
        if name not in place
    ]
