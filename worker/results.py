"""The end of a job: each best checkpoint is loaded anew and evaluated on the test split."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared import predictions
from shared.clock import now
from shared.database import Database
from shared.errors import NotFound
from shared.jobs import reading
from shared.jobs.attempts import Lease
from shared.jobs.checkpoints import name_of
from shared.jobs.events import EventRow
from shared.jobs.recording import Batch, EvaluationRow, MetricRow
from shared.predictions import Prediction
from shared.storage import Storage, publish
from worker.scribe import inquire
from worker.tables import write_tables
from worker.training import checkpoint
from worker.training.checkpoint import CheckpointCorrupt
from worker.training.evaluation import Evaluation, evaluate
from worker.training.experiment import Experiment
from worker.training.topk import metric_name
from worker.wire import number

MOST_MISTAKES = 20
EVALUATED = {"best", "last"}


def evaluate_checkpoints(
    experiment: Experiment, database: Database, storage: Storage, lease: Lease
) -> tuple[Batch, dict[str, Any]]:
    """Evaluate the job's best checkpoints and its last; return what to store and a summary."""
    rows = inquire(database, lambda c: reading.checkpoints(c, lease.job_id))
    batch, summary = Batch(), {}
    done: dict[str, Evaluation] = {}
    for row in rows:
        directory = row["directory"]
        if row["kind"] not in EVALUATED:
            continue
        if directory not in done:
            try:
                weights = checkpoint.load_weights(storage.path(directory))
            except (CheckpointCorrupt, NotFound) as error:
                if row["kind"] == "last":
                    raise
                batch.events.append(EventRow("note", {"text": f"{name_of(row)} is lost: {error}"}))
                continue
            experiment.model.load_state_dict(weights)
            done[directory] = evaluate(
                experiment, experiment.model, experiment.splits.test, experiment.ks
            )
        evaluation = done[directory]
        path = storage.results(lease.job_id) / f"predictions-{row['id']}.bin"
        _write_predictions(path, evaluation)
        batch.evaluations.append(
            EvaluationRow(
                checkpoint_id=row["id"],
                split="test",
                data=_data(evaluation, experiment.class_names),
                predictions=storage.relative(path),
            )
        )
        batch.artifacts += write_tables(
            storage, lease.job_id, name_of(row), evaluation, experiment.class_names
        )
        figures = {"loss": number(evaluation.loss)}
        figures |= {metric_name(k): value for k, value in evaluation.top_k.items()}
        place = {"checkpoint": row["id"], "epoch": row["epoch"], "step": row["step"]}
        summary[name_of(row)] = {**place, **figures}
    return batch, summary


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


def _data(evaluation: Evaluation, class_names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "loss": number(evaluation.loss),
        "accuracy": evaluation.accuracy,
        "top_k": {str(k): value for k, value in evaluation.top_k.items()},
        "classes": list(class_names),
        "per_class": [asdict(one) for one in evaluation.per_class],
        "confusion": evaluation.confusion,
        "mistakes": _mistakes(evaluation),
    }


def _mistakes(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The wrong samples that the network is most sure of."""
    found = evaluation.predictions
    predicted_N, sure_N = found.classes[:, 0], found.probabilities[:, 0]
    wrong_N = (predicted_N != found.labels).nonzero().squeeze(1)
    order = sure_N[wrong_N].argsort(descending=True, stable=True)[:MOST_MISTAKES]
    return [
        {
            "sample": int(found.indices[i]),
            "label": int(found.labels[i]),
            "predicted": int(predicted_N[i]),
            "probability": number(float(sure_N[i])),
        }
        for i in wrong_N[order].tolist()
    ]


def _write_predictions(path: Path, evaluation: Evaluation) -> None:
    found = evaluation.predictions
    rows = zip(
        found.indices.tolist(),
        found.labels.tolist(),
        found.classes.tolist(),
        found.probabilities.tolist(),
        strict=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    predictions.write(
        temporary, [Prediction(s, label, tuple(c), tuple(p)) for s, label, c, p in rows]
    )
    publish(temporary, path)
