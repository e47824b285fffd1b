"""What the check of an uploaded data set found, as its row holds it: its form, and facts for jobs.

A report that was edited by hand is noticed here, instead of failing in the code that reads it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.datasets import DatasetFacts
from shared.spec.fields import MAX_COUNT

#: The default image size is that of the originals, within these bounds.
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 8, 224
#: What the samples of a kind are called.
SAMPLES = {"images": "images", "table": "rows"}
SPLITS = ("train", "validation", "test")

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Size = Annotated[list[Count], Field(min_length=2, max_length=2)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Class(_Part):
    name: str
    images: Count
    train: Count | None
    validation: Count | None
    test: Count | None


class _Warning(_Part):
    rule: str
    detail: str
    files: list[str]


class _Rejected(_Part):
    file: str
    detail: str


class _Sizes(_Part):
    min: Size
    median: Size
    max: Size


class _Rejection(_Part):
    rejected: list[_Rejected]


class _Ready(_Rejection):
    task: Literal["classification", "regression"]
    images: Count
    classes: list[_Class]
    warnings: list[_Warning]


class _Images(_Ready):
    kind: Literal["images"]
    image_sizes: _Sizes
    channels: Literal[1, 3]
    mean: list[float]
    std: list[float]


class _Table(_Ready):
    kind: Literal["table"]
    target: str
    features: list[str]


def problem(state: str, report: Mapping[str, Any] | None) -> str | None:
    """Return what is wrong with the report of a data set in this state; None if nothing is."""
    if state == "checking":
        return None
    if report is None:
        return "is missing"
    is_table = report.get("kind") == "table"
    model = _Rejection if state == "rejected" else _Table if is_table else _Images
    try:
        model.model_validate(report)
    except ValidationError as error:
        first = error.errors()[0]
        return f"has at {'/'.join(map(str, first['loc']))}: {first['msg']}"
    return None


def of_built_in(facts: DatasetFacts) -> dict[str, Any]:
    """Return what the check would find of a built-in data set, in the form of its report."""
    if facts.kind == "table":  # unknown before a job names the file
        return {"kind": "table"}
    sizes = facts.class_sizes
    own = {split: bool(getattr(facts, split)) for split in ("validation", "test")}
    own["train"] = any(own.values())
    counts = {split: sizes[split] for split, is_own in own.items() if is_own or split == "train"}
    side = [facts.image_size, facts.image_size]
    return {
        "kind": "images",
        "task": "classification",
        "images": facts.train + facts.validation + facts.test,
        "classes": [
            {
                "name": name,
                "images": sum(found[label] for found in counts.values()),
                **{split: sizes[split][label] if own[split] else None for split in SPLITS},
            }
            for label, name in enumerate(facts.classes)
        ],
        "image_sizes": {"min": side, "median": side, "max": side},
        "channels": facts.channels,
        "mean": list(facts.mean) or None,
        "std": list(facts.std) or None,
        "warnings": [],
        "rejected": [],
    }


def complete(facts: DatasetFacts, report: Mapping[str, Any]) -> DatasetFacts:
    """Return the facts that jobs need, completed from the report of a ready data set."""
    facts = replace(
        facts,
        kind=report["kind"],
        summary=f"{report['images']:,} {SAMPLES[report['kind']]}, uploaded.",
        classes=tuple(found["name"] for found in report["classes"]),
        train=report["images"],
    )
    return (_of_table if facts.kind == "table" else _of_images)(facts, report)


def _of_images(facts: DatasetFacts, report: Mapping[str, Any]) -> DatasetFacts:
    classes = report["classes"]
    own = {split: sum(c[split] or 0 for c in classes) for split in ("validation", "test")}
    shorter = min(report["image_sizes"]["median"])
    # Splits of the set itself have their own images; the others are drawn from the rest.
    sizes = {
        split: tuple(
            (found[split] or 0) if own.get(split) else found["images"] - _own_images(found)
            for found in classes
        )
        for split in SPLITS
    }
    return replace(
        facts,
        class_sizes=sizes,
        train=facts.train - own["validation"] - own["test"],
        validation=own["validation"],
        test=own["test"],
        image_size=max(MIN_IMAGE_SIZE, min(MAX_IMAGE_SIZE, shorter)),
        channels=report["channels"],
    )


def _own_images(found: Mapping[str, Any]) -> int:
    """Return the images of a class in the set's own validation and test splits."""
    return sum(found[split] or 0 for split in ("validation", "test"))


def _of_table(facts: DatasetFacts, report: Mapping[str, Any]) -> DatasetFacts:
    target, is_number = report["target"], report["task"] == "regression"
    return replace(facts, target=target, number_targets=(target,) if is_number else ())
