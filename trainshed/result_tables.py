"""Tables of a job's results for people: accuracies, mistakes, metrics and files."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.escaping import escaped
from trainshed.formatting import file_size, metric_value, number, percent

Json = dict[str, Any]
#: The entries of a checkpoint's test results that are not metrics.
NOT_METRICS = {"checkpoint", "epoch", "step"}
#: A matrix of more classes does not fit on a screen; its most frequent confusions are listed.
MAX_MATRIX_CLASSES, MAX_CONFUSIONS = 20, 20


def print_latest_metrics(console: Console, job: Json) -> None:
    """Print the latest value of each metric, and the epoch or checkpoint that it belongs to."""
    job = escaped(job)
    if not job["metrics"]:
        return
    # The epoch in progress has no metrics yet.
    epoch = f"epoch {job['progress']['epoch']}" if job["state"] == "succeeded" else "latest epoch"
    tested = _tested_checkpoint(job)
    table = Table("metric", "value", "measured at")
    for name, value in job["metrics"].items():
        table.add_row(name, number(value), tested if name.startswith("test_") else epoch)
    console.print(table)


def _tested_checkpoint(job: Json) -> str:
    """Return the checkpoint of the job's test metrics: the best by the first rule, or the last."""
    monitors = (rule.get("monitor") for rule in job["spec"].get("checkpoints", []))
    name = f"best_{next(filter(None, monitors), None)}"
    return name if name in ((job["result"] or {}).get("test") or {}) else "last"


def print_results(console: Console, job: Json) -> None:
    """Print each checkpoint with the best validation value and the test values that it has."""
    job = escaped(job)
    best = {f"best_{monitor}": row for monitor, row in job["best"].items()}
    tested: Json = (job["result"] or {}).get("test") or {}
    if not best and not tested:
        return
    names = [name for name in next(iter(tested.values()), {}) if name not in NOT_METRICS]
    if all(row.get("loss") == row.get("data_loss") for row in tested.values()):
        names = [name for name in names if name != "data_loss"]  # without a penalty it is the loss
    table = Table(
        "checkpoint", "epoch", "best", *(f"test {name.replace('_', ' ')}" for name in names)
    )
    for checkpoint in {**tested, **best}:
        row = tested.get(checkpoint, {})
        cells = [metric_value(name, row.get(name, "")) for name in names]
        epoch = str({**best.get(checkpoint, {}), **row}["epoch"])
        table.add_row(checkpoint, epoch, _best_value(checkpoint, best), *cells)
    console.print(table)


def _best_value(checkpoint: str, best: Json) -> str:
    return metric_value(checkpoint, best[checkpoint]["value"]) if checkpoint in best else ""


def print_top_k(console: Console, top_k: Json) -> None:
    """Print the top-k accuracies of each checkpoint on the test split."""
    top_k = escaped(top_k)
    ks = sorted({k for checkpoint in top_k["checkpoints"] for k in checkpoint["top_k"]}, key=int)
    losses = ["loss"]
    if any(row.get("data_loss") not in {None, row["loss"]} for row in top_k["checkpoints"]):
        losses.append("data_loss")
    titles = [f"test {name.replace('_', ' ')}" for name in losses]
    table = Table("checkpoint", "epoch", *titles, *(f"top-{k}" for k in ks))
    for checkpoint in top_k["checkpoints"]:
        accuracies = [percent(checkpoint["top_k"].get(k, "")) for k in ks]
        cells = [number(checkpoint.get(name, "")) for name in losses]
        table.add_row(checkpoint["name"], str(checkpoint["epoch"]), *cells, *accuracies)
    console.print(table)


def print_classes(console: Console, top_k: Json) -> None:
    """Print the accuracy of each class, worst first, for the checkpoint of the samples."""
    top_k = escaped(top_k)
    checkpoint = _checkpoint_of_samples(top_k)
    console.print(f"accuracy by class, worst first ({checkpoint['name']}):")
    table = Table("class", "test images", "accuracy")
    for row in sorted(checkpoint["per_class"], key=lambda row: row["accuracy"] or 0):
        table.add_row(Text(row["name"]), f"{row['count']:,}", percent(row["accuracy"]))
    console.print(table)


def print_mistakes(console: Console, top_k: Json, limit: int) -> None:
    """Print the most confident mistakes of the same checkpoint."""
    top_k = escaped(top_k)
    checkpoint = _checkpoint_of_samples(top_k)
    names = {row["label"]: row["name"] for row in checkpoint["per_class"]}
    console.print(f"most confident mistakes ({checkpoint['name']}):")
    table = Table("sample", "label", "predicted", "probability")
    for mistake in checkpoint["mistakes"][:limit]:
        label = Text(names[mistake["label"]])
        predicted = Text(names.get(mistake["predicted"], "none"))  # null for scores of NaN
        probability = percent(mistake["probability"])
        table.add_row(str(mistake["sample"]), label, predicted, probability)
    console.print(table)


def _checkpoint_of_samples(top_k: Json) -> Json:
    name = top_k["samples"]["checkpoint"]
    return next(row for row in top_k["checkpoints"] if row["checkpoint"] == name)


def print_samples(console: Console, top_k: Json) -> None:
    """Print the predictions for samples: the label, then the most probable classes."""
    top_k = escaped(top_k)
    samples = top_k["samples"]["data"]
    max_classes = max((len(sample["classes"]) for sample in samples), default=0)
    table = Table("sample", "label", "", *(f"{rank}." for rank in range(1, max_classes + 1)))
    for sample in samples:
        classes = [f"{c['name']}\n{percent(c['probability'])}" for c in sample["classes"]]
        right, wrong = Text("right", style="green"), Text("wrong", style="red")
        mark = right if sample["right"] else wrong
        table.add_row(str(sample["sample"]), sample["label_name"], mark, *map(Text, classes))
    console.print(table)


def print_predictions(console: Console, predictions: list[Json]) -> None:
    """Print the predictions for new samples: the most probable classes, or the value."""
    predictions = escaped(predictions)
    if any("value" in row for row in predictions):
        table = Table("sample", Column("value", justify="right"))
        for row in predictions:
            table.add_row(row["name"], number(row["value"]))
        console.print(table)
        return
    max_classes = max((len(row["top_k"]) for row in predictions), default=0)
    table = Table("sample", *(f"{rank}." for rank in range(1, max_classes + 1)))
    for row in predictions:
        classes = [f"{c['class']}\n{percent(c['probability'])}" for c in row["top_k"]]
        table.add_row(row["name"], *map(Text, classes))
    console.print(table)


def print_confusion(console: Console, confusion: Json) -> None:
    """Print the confusion matrix, or its largest entries if there are many classes."""
    confusion = escaped(confusion)
    names, matrix = confusion["classes"], confusion["matrix"]
    if len(names) > MAX_MATRIX_CLASSES:
        _print_frequent_confusions(console, confusion)
        return
    console.print(f"rows: labels, columns: predictions of {confusion['name']}")
    columns = [Column(str(index), justify="right") for index in range(len(names))]
    table = Table("", "", *columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for label, row in enumerate(matrix):
        counts = [
            Text(str(count or "·"), style="green" if label == predicted else "")
            for predicted, count in enumerate(row)
        ]
        table.add_row(str(label), Text(names[label]), *counts)
    console.print(table)


def _print_frequent_confusions(console: Console, confusion: Json) -> None:
    names = confusion["classes"]
    counts = [
        (count, label, predicted)
        for label, row in enumerate(confusion["matrix"])
        for predicted, count in enumerate(row)
        if count and label != predicted
    ]
    console.print(f"most frequent confusions of {confusion['name']} (all with --json):")
    table = Table("label", "predicted", "times")
    for count, label, predicted in sorted(counts, key=lambda row: -row[0])[:MAX_CONFUSIONS]:
        table.add_row(Text(names[label]), Text(names[predicted]), str(count))
    console.print(table)


def print_none(console: Console, job: Json, *, later: str) -> None:
    """Print that a job has no rows of some kind: not yet, or that none will come.

    Args:
        console: where to print.
        job: the job.
        later: when a job that has not ended gets them.
    """
    text = f"none yet; {later}"
    if job["ending"]:
        text = f"none, and none will come. The job has ended: {job['ending']}"
    console.print(Text(escaped(text)), soft_wrap=True)


def print_checkpoints(console: Console, checkpoints: list[Json]) -> None:
    """Print the checkpoints of a job."""
    checkpoints = escaped(checkpoints)
    id_column = Column("id", no_wrap=True, min_width=31)
    table = Table("name", "value", "epoch", "step", "size", id_column)
    for row in checkpoints:
        value = "" if row["value"] is None else number(row["value"])
        counts = (str(row["epoch"]), str(row["step"]), file_size(row["bytes"]))
        table.add_row(row["name"], value, *counts, row["id"])
    console.print(table)


def print_artifacts(console: Console, artifacts: list[Json]) -> None:
    """Print the files of a job's results."""
    artifacts = escaped(artifacts)
    table = Table(Column("name", no_wrap=True), "size", "type")
    for artifact in artifacts:
        table.add_row(artifact["name"], file_size(artifact["bytes"]), artifact["media_type"])
    console.print(table)
    console.print("`trainshed artifacts JOB NAME` downloads a file")
