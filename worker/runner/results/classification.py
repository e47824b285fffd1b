"""The results where classes are asked for: what is said of a checkpoint, and its files."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared import predictions
from shared.jobs.checkpoint_names import checkpoint_name
from shared.jobs.rows import CheckpointRow
from shared.json_numbers import json_number
from shared.predictions import Prediction
from shared.storage import Storage, publish
from worker.runner.results.csv_files import write_confusion, write_predictions
from worker.runner.results.result import CheckpointResult
from worker.training.evaluation import ClassificationEvaluation
from worker.training.topk import metric_name

MOST_MISTAKES = 20


def classification_result(
    evaluation: ClassificationEvaluation,
    names: tuple[str, ...],
    storage: Storage,
    job_id: str,
    row: CheckpointRow,
) -> CheckpointResult:
    """Write the files of a checkpoint's evaluation.

    Args:
        evaluation: on the test split.
        names: of the classes.
        storage: where files go.
        job_id: of the job.
        row: the checkpoint.
    """
    name = checkpoint_name(row)
    file = storage.results(job_id) / f"predictions-{row.id}.bin"
    _write_predictions(file, evaluation)
    figures = {"loss": json_number(evaluation.loss)}
    return CheckpointResult(
        figures=figures | {metric_name(k): value for k, value in evaluation.top_k.items()},
        data=_data(evaluation, names),
        predictions=storage.relative(file),
        artifacts=[
            write_predictions(storage, job_id, name, evaluation, names),
            write_confusion(storage, job_id, name, evaluation, names),
        ],
    )


def _data(evaluation: ClassificationEvaluation, class_names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "loss": json_number(evaluation.loss),
        "accuracy": evaluation.accuracy,
        "top_k": {str(k): value for k, value in evaluation.top_k.items()},
        "classes": list(class_names),
        "per_class": [asdict(one) for one in evaluation.per_class],
        "confusion": evaluation.confusion,
        "mistakes": _mistakes(evaluation),
    }


def _mistakes(evaluation: ClassificationEvaluation) -> list[dict[str, Any]]:
    """The wrong samples that the network is most sure of.

    Those with a score that is not finite come last: they are wrong, and nothing was predicted.
    """
    found = evaluation.predictions
    predicted_N, sure_N = found.classes[:, 0], found.probabilities[:, 0]
    wrong_N = (~found.is_right).nonzero().squeeze(1)
    order = sure_N[wrong_N].nan_to_num(-1).argsort(descending=True, stable=True)
    return [
        {
            "sample": int(found.indices[i]),
            "label": int(found.labels[i]),
            "predicted": int(predicted_N[i]) if sure_N[i].isfinite() else None,
            "probability": json_number(float(sure_N[i])),
        }
        for i in wrong_N[order][:MOST_MISTAKES].tolist()
    ]


def _write_predictions(path: Path, evaluation: ClassificationEvaluation) -> None:
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
