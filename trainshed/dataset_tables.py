"""Tables of data sets for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from trainshed.escaping import escaped
from trainshed.formatting import file_size, timestamp

Json = dict[str, Any]
MAX_LISTED = 20


def print_datasets(console: Console, datasets: list[Json]) -> None:
    """Print the data sets."""
    datasets = escaped(datasets)
    table = Table("name", "images", "classes", "size", "available", "description")
    for dataset in datasets:
        if "state" in dataset:
            table.add_row(*_upload_row(dataset))
            continue
        shape = f"{dataset['image_size']}×{dataset['image_size']}×{dataset['channels']}"
        images = f"{dataset['train'] + dataset['test']:,}"
        classes = str(len(dataset["classes"]))
        if "files" in dataset:  # a table: its size is that of the file
            shape, classes, images = "", "", ", ".join(dataset["files"])
        is_available = "yes" if dataset["is_available"] else "no"
        table.add_row(dataset["id"], images, classes, shape, is_available, dataset["summary"])
    console.print(table)


def print_dataset(console: Console, dataset: Json) -> None:
    """Print a data set: its facts, classes, warnings and rejected files."""
    dataset = escaped(dataset)
    if "state" not in dataset:
        print_datasets(console, [dataset])
        if dataset["classes"]:
            console.print(f"classes: {', '.join(dataset['classes'])}")
        return
    facts = [dataset["state"], file_size(dataset["bytes"]), timestamp(dataset["created_at"])]
    console.print(f"{dataset['name']}@{dataset['version']}: {', '.join(facts)}")
    if dataset["state"] == "ready":
        console.print(_content(dataset), soft_wrap=True)
        if dataset["classes"]:
            _print_classes(console, dataset)
    for warning in dataset["warnings"]:
        console.print(f"warning: {warning['detail']}", soft_wrap=True)
    _print_rejected(console, dataset["rejected"])


def print_rejection(console: Console, dataset: Json) -> None:
    """Print why an upload was rejected."""
    dataset = escaped(dataset)
    console.print(f"{dataset['name']}@{dataset['version']} was rejected:")
    _print_rejected(console, dataset["rejected"])


def _content(dataset: Json) -> str:
    """Return what a ready upload holds, in a sentence."""
    if dataset["kind"] == "images":
        width, height = dataset["image_sizes"]["median"]
        return f"{dataset['images']:,} images, median size {width}×{height}"
    features = dataset["features"]
    more = f" and {len(features) - MAX_LISTED:,} more" if len(features) > MAX_LISTED else ""
    listed = f"{', '.join(features[:MAX_LISTED])}{more}"
    return f"{dataset['images']:,} rows; predicts {dataset['target']} from {listed}"


def _print_classes(console: Console, dataset: Json) -> None:
    table = Table("class", "rows" if dataset["kind"] == "table" else "images")
    splits = ("train", "validation", "test")
    has_splits = any(dataset["classes"][0][split] is not None for split in splits)
    for split in splits if has_splits else ():
        table.add_column(split)
    for found in dataset["classes"]:
        counts = [found[name] for name in ("images", *(splits if has_splits else ()))]
        table.add_row(found["name"], *(f"{count:,}" for count in counts))
    console.print(table)


def _upload_row(dataset: Json) -> tuple[str, ...]:
    images = "" if dataset["images"] is None else f"{dataset['images']:,}"
    shape = f"{len(dataset['features'])} columns" if dataset["features"] else ""
    if dataset["image_sizes"] is not None:
        width, height = dataset["image_sizes"]["median"]
        shape = f"{width}×{height}×{dataset['channels']}"
    is_ready = "yes" if dataset["state"] == "ready" else dataset["state"]
    classes = str(len(dataset["classes"])) if dataset["classes"] else ""
    description = f"version {dataset['version']}, uploaded by {dataset['owner']}"
    return dataset["name"], images, classes, shape, is_ready, description


def _print_rejected(console: Console, rejected: list[Json]) -> None:
    for found in rejected[:MAX_LISTED]:
        file = f"{found['file']}: " if found["file"] else ""
        console.print(f"  {file}{found['detail']}", soft_wrap=True)
    if len(rejected) > MAX_LISTED:
        console.print(f"  and {len(rejected) - MAX_LISTED:,} more")
