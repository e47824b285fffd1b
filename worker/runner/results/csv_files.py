"""Results as tables for people's own programs: CSV files, kept as artifacts of the job."""

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
    name: str,
    evaluation: ClassificationEvaluation,
    class_names: tuple[str, ...],
) -> NewArtifact:
    """Write what a checkpoint says of each sample.

    Args:
        storage: where they go.
        job_id: of the job.
        name: of the checkpoint, such as `best_val_loss`.
        evaluation: on the test split.
        class_names: by label.
    """
    rows = _predictions(evaluation, class_names)
    return _write(storage, job_id, f"predictions-{name}.csv", rows)


def write_confusion(
    storage: Storage,
    job_id: str,
    name: str,
    evaluation: ClassificationEvaluation,
    class_names: tuple[str, ...],
) -> NewArtifact:
    """Write a checkpoint's confusion matrix; arguments as of `write_predictions`."""
    return _write(storage, job_id, f"confusion-{name}.csv", _confusion(evaluation, class_names))


def write_numbers(
    storage: Storage, job_id: str, name: str, evaluation: RegressionEvaluation
) -> NewArtifact:
    """Write what a checkpoint says of each sample where a number is asked for."""
    return _write(storage, job_id, f"predictions-{name}.csv", _numbers(evaluation))


def _predictions(
    evaluation: ClassificationEvaluation, names: tuple[str, ...]
) -> Iterable[list[Any]]:
    found = evaluation.predictions
    places = range(1, found.classes.shape[1] + 1)
    said = [part for place in places for part in (f"class_{place}", f"probability_{place}")]
    yield ["sample", "label", *said]
    for sample, label, classes, probabilities in zip(
        found.indices.tolist(),
        found.labels.tolist(),
        found.classes.tolist(),
        found.probabilities.tolist(),
        strict=True,
    ):
        pairs = zip(classes, probabilities, strict=True)
        said = [part for k, p in pairs for part in (names[k], f"{p:.6g}")]
        yield [sample, names[label], *said]


def _numbers(evaluation: RegressionEvaluation) -> Iterable[list[Any]]:
    yield ["sample", "target", "prediction"]
    columns = (evaluation.indices, evaluation.targets, evaluation.outputs)
    for sample, target, output in zip(*(column.tolist() for column in columns), strict=True):
        yield [sample, f"{target:.9g}", f"{output:.9g}"]


def _confusion(evaluation: ClassificationEvaluation, names: tuple[str, ...]) -> Iterable[list[Any]]:
    yield ["label", *names]
    for name, row in zip(names, evaluation.confusion, strict=True):
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
