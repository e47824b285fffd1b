"""Tables as data sets: their rows, columns and classes, as the sidecar reads them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from api.catalog.methods import Faults
from shared.datasets import TABLE, DatasetFacts
from shared.errors import Fault, InvalidSpec
from shared.spec import DatasetSpec

#: A question for the sidecar → its answer; InvalidSpec with what the table does not admit.
Ask = Callable[[dict[str, Any]], dict[str, Any]]
#: What is said of images alone, with what a table has instead.
OF_IMAGES = {"image_size": "a table has rows", "channels": "the columns are a table's channels"}


def facts_of_table(
    asked: DatasetSpec, *, is_number: bool, ask: Ask, faults: Faults
) -> tuple[DatasetFacts, str] | None:
    """The facts of the table that is asked for and its content's hash; None with faults added.

    Args:
        asked: the specification's part.
        is_number: whether a number is asked for.
        ask: the sidecar.
        faults: where faults are added.
    """
    for field in ("file", "target"):
        if getattr(asked, field) is None:
            text = {"file": "is missing: the table's file", "target": "is missing: a column"}[field]
            faults.append(Fault(f"/dataset/{field}", text))
    for field, instead in OF_IMAGES.items():
        if getattr(asked, field) is not None:
            faults.append(Fault(f"/dataset/{field}", f"is for images; {instead}: leave it out"))
    if asked.normalization == "unit":
        text = "is unit, which is for images; a table takes standardize or none"
        faults.append(Fault("/dataset/normalization", text))
    if asked.file is None or asked.target is None:
        return None
    features = None if asked.features is None else list(asked.features)
    question = {"file": asked.file, "target": asked.target, "features": features}
    try:
        answer = ask({"ask": "table", **question, "is_number": is_number})
    except InvalidSpec as refused:
        faults += refused.faults
        return None
    if asked.content_hash not in (None, answer["content_hash"]):
        text = f"is not that of {asked.file}, which has {answer['content_hash']}"
        faults.append(Fault("/dataset/content_hash", text))
    facts = replace(
        TABLE,
        train=answer["rows"],
        classes=tuple(answer["classes"]),
        features=tuple(answer["features"]),
        channels=len(answer["features"]),
    )
    return facts, answer["content_hash"]


def check_goes_with_tables(
    filled: dict[str, Any], architectures: dict[str, Any], faults: Faults
) -> None:
    """Networks and augmentations that are for images."""
    name = (filled["architecture"] or {}).get("name")
    if name is not None and architectures[name]["image_size"]["minimum"] > 1:
        fitting = [
            one for one, entry in architectures.items() if entry["image_size"]["minimum"] == 1
        ]
        text = f"{name} is for images, and a table has rows: take {' or '.join(sorted(fitting))}"
        faults.append(Fault("/architecture/name", text))
    if filled["augmentation"]:
        faults.append(Fault("/augmentation", "is for images, and a table has rows: leave it out"))
