"""The test results of a checkpoint that predicts classes, and their files."""

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

#: Wrong samples that the results list.
MAX_MISTAKES = 20


def classification_result(
    evaluation: ClassificationEvaluation,
    class_names: tuple[str, ...],
    storage: Storage,
    job_id: str,
    row: CheckpointRow,
) -> CheckpointResult:
    """Write the predictions and the confusion matrix to files, and return the results.

    Args:
        evaluation: of the checkpoint on the test split.
        class_names: by label.
        storage: where files are written.
        job_id: the checkpoint's job.
        row: the checkpoint.
    """
    name = checkpoint_name(row)
    file = storage.results(job_id) / f"predictions-{row.id}.bin"
    _write_prediction_file(file, evaluation)
    accuracies = {metric_name(k): value for k, value in evaluation.top_k.items()}
    return CheckpointResult(
        metrics={**_losses(evaluation), **accuracies, "accuracy": evaluation.accuracy},
        data=_data(evaluation, class_names),
        predictions=storage.relative(file),
        artifacts=[
            write_predictions(storage, job_id, name, evaluation, class_names),
            write_confusion(storage, job_id, name, evaluation, class_names),
        ],
    )


def _losses(evaluation: ClassificationEvaluation) -> dict[str, Any]:
    """Return the loss with and without the penalty of the weights."""
    return {
        "loss": json_number(evaluation.data_loss + evaluation.penalty),
        "data_loss": json_number(evaluation.data_loss),
    }


def _data(evaluation: ClassificationEvaluation, class_names: tuple[str, ...]) -> dict[str, Any]:
    return {
        **_losses(evaluation),
        "accuracy": evaluation.accuracy,
        "top_k": {str(k): value for k, value in evaluation.top_k.items()},
        "classes": list(class_names),
        "per_class": [asdict(accuracy) for accuracy in evaluation.per_class],
        "confusion": evaluation.confusion,
        "mistakes": _mistakes(evaluation),
    }


def _mistakes(evaluation: ClassificationEvaluation) -> list[dict[str, Any]]:
    """Return the wrong samples with the most probable predictions, the highest first.

    Samples with a score that is not finite come last. They are wrong, but nothing was predicted.
    """
    rows = evaluation.predictions
    predicted_N, probabilities_N = rows.classes[:, 0], rows.probabilities[:, 0]
    wrong_N = (~rows.is_right).nonzero().squeeze(1)
    order = probabilities_N[wrong_N].nan_to_num(-1).argsort(descending=True, stable=True)
    return [
        {
            "sample": int(rows.indices[i]),
            "label": int(rows.labels[i]),
            "predicted": int(predicted_N[i]) if probabilities_N[i].isfinite() else None,
            "probability": json_number(float(probabilities_N[i])),
        }
        for i in wrong_N[order][:MAX_MISTAKES].tolist()
    ]


def _write_prediction_file(path: Path, evaluation: ClassificationEvaluation) -> None:
    rows = zip(
        evaluation.predictions.indices.tolist(),
        evaluation.predictions.labels.tolist(),
        evaluation.predictions.classes.tolist(),
        evaluation.predictions.probabilities.tolist(),
        strict=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    predictions.write(
        temporary, [Prediction(s, label, tuple(c), tuple(p)) for s, label, c, p in rows]
    )
    publish(temporary, path)
