"""Test results as CSV files, which are artifacts of the job."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.clock import now
from shared.ids import new_id
from shared.jobs.recording import NewArtifact
from shared.storage import Storage, publish, sha256_of_file
from worker.training.evaluation import ClassificationEvaluation, RegressionEvaluation

CSV = "text/csv"


def write_predictions(
    storage: Storage,
    job_id: str,
    checkpoint_name: str,
    evaluation: ClassificationEvaluation,
    class_names: tuple[str, ...],
) -> NewArtifact:
    """Write the most probable classes of each test sample, with their probabilities.

    Args:
        storage: where the file is written.
        job_id: the checkpoint's job.
        checkpoint_name: such as `best_val_loss`.
        evaluation: of the checkpoint on the test split.
        class_names: by label.
    """
    rows = _prediction_rows(evaluation, class_names)
    return _write(storage, job_id, f"predictions-{checkpoint_name}.csv", rows)


def write_confusion(
    storage: Storage,
    job_id: str,
    checkpoint_name: str,
    evaluation: ClassificationEvaluation,
    class_names: tuple[str, ...],
) -> NewArtifact:
    """Write the confusion matrix of a checkpoint; arguments as for `write_predictions`."""
    rows = _confusion_rows(evaluation, class_names)
    return _write(storage, job_id, f"confusion-{checkpoint_name}.csv", rows)


def write_numbers(
    storage: Storage, job_id: str, checkpoint_name: str, evaluation: RegressionEvaluation
) -> NewArtifact:
    """Write target and prediction of each test sample of a regression."""
    rows = _number_rows(evaluation)
    return _write(storage, job_id, f"predictions-{checkpoint_name}.csv", rows)


def _prediction_rows(
    evaluation: ClassificationEvaluation, class_names: tuple[str, ...]
) -> Iterable[list[Any]]:
    predictions = evaluation.predictions
    ranks = range(1, predictions.classes.shape[1] + 1)
    columns = [name for rank in ranks for name in (f"class_{rank}", f"probability_{rank}")]
    yield ["sample", "label", *columns]
    for sample, label, classes, probabilities in zip(
        predictions.indices.tolist(),
        predictions.labels.tolist(),
        predictions.classes.tolist(),
        predictions.probabilities.tolist(),
        strict=True,
    ):
        pairs = zip(classes, probabilities, strict=True)
        cells = [cell for k, p in pairs for cell in (class_names[k], f"{p:.6g}")]
        yield [sample, class_names[label], *cells]


def _number_rows(evaluation: RegressionEvaluation) -> Iterable[list[Any]]:
    yield ["sample", "target", "prediction"]
    columns = (evaluation.indices, evaluation.targets, evaluation.outputs)
    for sample, target, output in zip(*(column.tolist() for column in columns), strict=True):
        yield [sample, f"{target:.12g}", f"{output:.12g}"]


def _confusion_rows(
    evaluation: ClassificationEvaluation, class_names: tuple[str, ...]
) -> Iterable[list[Any]]:
    yield ["label", *class_names]
    for name, row in zip(class_names, evaluation.confusion, strict=True):
        yield [name, *row]


def _write(storage: Storage, job_id: str, name: str, rows: Iterable[list[Any]]) -> NewArtifact:
    path: Path = storage.results(job_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    publish(temporary, path)
    return NewArtifact(
        id=new_id("artifact"),
        name=name,
        path=storage.relative(path),
        media_type=CSV,
        bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
        created_at=now(),
    )
