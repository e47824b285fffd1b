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
        table.add_row(*_row(dataset))
    console.print(table)


def print_dataset(console: Console, dataset: Json) -> None:
    """Print a data set: its facts, classes, warnings and rejected files."""
    dataset = escaped(dataset)
    facts = dataset["summary"]
    if dataset["created_at"] is not None:  # an upload
        size, created_at = file_size(dataset["bytes"]), timestamp(dataset["created_at"])
        facts = f"{dataset['state']}, {size}, {created_at}"
    console.print(f"{_reference(dataset)}: {facts}", soft_wrap=True)
    if dataset["state"] == "ready" and not dataset["is_available"]:
        console.print(f"not on the box yet; its sources: {', '.join(dataset['ways'])}")
    content = _content(dataset)
    if content:
        console.print(content, soft_wrap=True)
    if dataset["classes"]:
        _print_classes(console, dataset)
    for warning in dataset["warnings"]:
        console.print(f"warning: {warning['detail']}", soft_wrap=True)
    _print_rejected(console, dataset["rejected"])


def print_rejection(console: Console, dataset: Json) -> None:
    """Print why an upload was rejected."""
    dataset = escaped(dataset)
    console.print(f"{_reference(dataset)} was rejected:")
    _print_rejected(console, dataset["rejected"])


def _content(dataset: Json) -> str:
    """Return what a data set holds, in a sentence; empty if that is not known yet."""
    if dataset["files"]:
        return f"files: {', '.join(dataset['files'])}"
    if dataset["images"] is None:
        return ""
    if dataset["image_sizes"] is not None:
        width, height = dataset["image_sizes"]["median"]
        return f"{dataset['images']:,} images, median size {width}×{height}"
    features = dataset["features"]
    more = f" and {len(features) - MAX_LISTED:,} more" if len(features) > MAX_LISTED else ""
    listed = f"{', '.join(features[:MAX_LISTED])}{more}"
    return f"{dataset['images']:,} rows; predicts {dataset['target']} from {listed}"


def _print_classes(console: Console, dataset: Json) -> None:
    table = Table("class", "rows" if dataset["kind"] == "table" else "images")
    splits = ("train", "validation", "test")
    own = [split for split in splits if dataset["classes"][0][split] is not None]
    for split in own:
        table.add_column(split)
    for found in dataset["classes"]:
        counts = [found[name] for name in ("images", *own)]
        table.add_row(found["name"], *(f"{count:,}" for count in counts))
    console.print(table)


def _row(dataset: Json) -> tuple[str, ...]:
    images = "" if dataset["images"] is None else f"{dataset['images']:,}"
    shape = f"{len(dataset['features'])} columns" if dataset["features"] else ""
    if dataset["image_sizes"] is not None:
        width, height = dataset["image_sizes"]["median"]
        shape = f"{width}×{height}×{dataset['channels']}"
    classes = str(len(dataset["classes"])) if dataset["classes"] else ""
    is_available = "yes" if dataset["is_available"] else "no"
    if dataset["state"] != "ready":
        is_available = dataset["state"]
    description = dataset["summary"]
    if dataset["files"]:
        description += f" Files: {', '.join(dataset['files'])}."
    return _reference(dataset), images, classes, shape, is_available, description


def _reference(dataset: Json) -> str:
    version = dataset["version"]
    return dataset["name"] if version is None else f"{dataset['name']}@{version}"


def _print_rejected(console: Console, rejected: list[Json]) -> None:
    for found in rejected[:MAX_LISTED]:
        file = f"{found['file']}: " if found["file"] else ""
        console.print(f"  {file}{found['detail']}", soft_wrap=True)
    if len(rejected) > MAX_LISTED:
        console.print(f"  and {len(rejected) - MAX_LISTED:,} more")
