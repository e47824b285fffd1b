"""What came of a job as tables for people: accuracies, mistakes, metrics, files."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trainshed.formatting import figure, percent, size

Json = dict[str, Any]
#: What says which checkpoint it is, in its entry of a job's result.
PLACE = {"checkpoint", "epoch", "step"}
#: A matrix of more classes fits no screen: then the most frequent confusions are listed.
MATRIX_CLASSES, MOST_CONFUSIONS = 20, 20


def tests(console: Console, one: Json) -> None:
    """What each checkpoint of a finished job is worth on the test split."""
    found = one["result"]["test"]
    names = [name for name in next(iter(found.values()), {}) if name not in PLACE]
    table = Table("checkpoint", "epoch", *(f"test {name.replace('_', ' ')}" for name in names))
    for checkpoint, said in found.items():
        shown = [(percent if "accuracy" in n else figure)(said.get(n, "")) for n in names]
        table.add_row(checkpoint, str(said["epoch"]), *shown)
    console.print(table)


def results(console: Console, answer: Json) -> None:
    """The accuracies of each checkpoint on the test split."""
    names = sorted({k for one in answer["checkpoints"] for k in one["top_k"]}, key=int)
    table = Table("checkpoint", "epoch", "test loss", *(f"top-{k}" for k in names))
    for one in answer["checkpoints"]:
        accuracies = [percent(one["top_k"].get(k, "")) for k in names]
        table.add_row(one["name"], str(one["epoch"]), figure(one["loss"]), *accuracies)
    console.print(table)


def classes(console: Console, answer: Json) -> None:
    """How often each class is right, worst first, as the checkpoint of the samples has it."""
    one = _chosen(answer)
    console.print(f"by class, worst first ({one['name']}):")
    table = Table("class", "test images", "accuracy")
    for entry in sorted(one["per_class"], key=lambda entry: entry["accuracy"] or 0):
        table.add_row(Text(entry["name"]), f"{entry['count']:,}", percent(entry["accuracy"]))
    console.print(table)


def mistakes(console: Console, answer: Json, limit: int) -> None:
    """What the same checkpoint was most sure of and wrong about."""
    one = _chosen(answer)
    names = {entry["label"]: entry["name"] for entry in one["per_class"]}
    console.print(f"the most confident mistakes ({one['name']}):")
    table = Table("sample", "label", "taken for", "with probability")
    for wrong in one["mistakes"][:limit]:
        label = Text(names[wrong["label"]])
        predicted = Text(names.get(wrong["predicted"], "nothing"))  # null without finite scores
        table.add_row(str(wrong["sample"]), label, predicted, percent(wrong["probability"]))
    console.print(table)


def _chosen(answer: Json) -> Json:
    chosen = answer["samples"]["checkpoint"]
    return next(one for one in answer["checkpoints"] if one["checkpoint"] == chosen)


def samples(console: Console, answer: Json) -> None:
    """What a checkpoint says of samples: label by name, then the most probable classes."""
    found = answer["samples"]["data"]
    most = max((len(one["classes"]) for one in found), default=0)
    table = Table("sample", "label", "", *(f"{place}." for place in range(1, most + 1)))
    for one in found:
        said = [f"{c['name']}\n{percent(c['probability'])}" for c in one["classes"]]
        mark = Text("right", style="green") if one["right"] else Text("wrong", style="red")
        table.add_row(str(one["sample"]), one["label_name"], mark, *map(Text, said))
    console.print(table)


def confusion(console: Console, answer: Json) -> None:
    """A row for each label, a column for what it was taken for."""
    names, matrix = answer["classes"], answer["matrix"]
    if len(names) > MATRIX_CLASSES:
        _most_frequent(console, answer)
        return
    console.print(f"a row for each label, a column for what {answer['name']} took it for:")
    columns = [Column(str(number), justify="right") for number in range(len(names))]
    table = Table("", "", *columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for label, row in enumerate(matrix):
        counts = [
            Text(str(count or "·"), style="green" if label == predicted else "")
            for predicted, count in enumerate(row)
        ]
        table.add_row(str(label), Text(names[label]), *counts)
    console.print(table)


def _most_frequent(console: Console, answer: Json) -> None:
    names = answer["classes"]
    found = [
        (count, label, predicted)
        for label, row in enumerate(answer["matrix"])
        for predicted, count in enumerate(row)
        if count and label != predicted
    ]
    console.print(f"the most frequent confusions of {answer['name']}; --json has all:")
    table = Table("label", "taken for", "times")
    for count, label, predicted in sorted(found, key=lambda one: -one[0])[:MOST_CONFUSIONS]:
        table.add_row(Text(names[label]), Text(names[predicted]), str(count))
    console.print(table)


def metrics(console: Console, series: list[Json]) -> None:
    """The ends and the extremes of each metric, each with its epoch; stage after stage."""
    if not series:
        console.print("none yet: they come with the first epoch")
        return
    stages = [*dict.fromkeys(one["stage"] for one in series)]
    stage = ["stage"] if len(stages) > 1 else []
    table = Table("metric", *stage, "first", "last", "lowest", "highest")
    for place, name in enumerate(stages):
        if place:
            table.add_section()
        for one in series:
            if one["stage"] == name:
                table.add_row(one["name"], *([name] if stage else []), *_course(one))
    console.print(table)
    console.print("in brackets: the epoch. test_… are of the best checkpoint; `top-k` has all")


def _course(series: Json) -> list[str]:
    """First, last, lowest, highest; the earliest of several that are equal."""
    points = series["points"]
    if series["split"] == "test":  # measured once, and not of the epoch in which that was
        return ["", figure(points[-1]["value"])]
    finite = [point for point in points if not isinstance(point["value"], str)]
    extremes = [one(finite, key=lambda point: point["value"]) for one in (min, max) if finite]
    shown = [f"{figure(one['value'])} ({one['epoch']})" for one in (points[0], points[-1])]
    return shown + [f"{figure(one['value'])} ({one['epoch']})" for one in extremes]


def checkpoints(console: Console, found: list[Json]) -> None:
    """The checkpoints of a job."""
    if not found:
        console.print("none yet: they come with the first epoch")
        return
    last = Column("id", no_wrap=True, min_width=31)
    table = Table("name", "value", "epoch", "step", "size", last)
    for one in found:
        value = "" if one["value"] is None else figure(one["value"])
        counts = (str(one["epoch"]), str(one["step"]), size(one["bytes"]))
        table.add_row(one["name"], value, *counts, one["id"])
    console.print(table)


def artifacts(console: Console, found: list[Json]) -> None:
    """The files of a job's results."""
    if not found:
        console.print("none yet: they come at the job's end")
        return
    table = Table(Column("name", no_wrap=True), "size", "kind")
    for one in found:
        table.add_row(one["name"], size(one["bytes"]), one["media_type"])
    console.print(table)
    console.print("`trainshed artifacts JOB NAME` fetches one")
