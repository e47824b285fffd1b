"""The data set of a specification: which it is, what is asked of it, and how much of it."""

from dataclasses import replace
from typing import Any

from api.catalog.methods import Faults, Methods, nearest, shown
from api.jobs.admission import task
from api.jobs.admission.tables import Ask, check_goes_with_tables, facts_of_table
from shared.datasets import FACTS, TABLE, DatasetFacts, SplitsRefused, resolve_splits
from shared.errors import Fault
from shared.spec import DatasetSpec

#: Fields of a data set that images have no use for; left out of what is filled in.
OF_TABLES = ("target", "file", "features", "content_hash")

Filled = dict[str, Any]


def known(raw: Any, faults: Faults) -> DatasetFacts | None:
    """The data set that is named; None where there is none.

    Args:
        raw: the part `dataset` as it came.
        faults: where faults are added.
    """
    name = raw.get("name") if isinstance(raw, dict) else raw
    if not isinstance(name, str):
        return None  # the structure's own check says so
    if name not in FACTS:
        text = f"{shown(name)} is no data set here; {nearest(name, FACTS)}"
        faults.append(Fault("/dataset/name", text))
        return None
    return FACTS[name]


def of_job(
    asked: DatasetSpec,
    facts: DatasetFacts,
    filled: Filled,
    methods: Methods,
    ask: Ask,
    faults: Faults,
) -> DatasetFacts | None:
    """The data set as this job sees it: without classes where it asks for a number.

    Args:
        asked: what is asked of it.
        facts: what is known of it.
        filled: the specification that is being filled in.
        methods: the catalogue.
        ask: the sidecar, which reads tables.
        faults: where faults are added.
    """
    if facts.name != TABLE.name:
        filled["dataset"] = of_images(asked, facts, faults)
        is_number = asked.target in facts.number_targets
        return replace(facts, classes=()) if is_number else facts
    filled["dataset"] = asked.model_dump(mode="json")
    check_goes_with_tables(filled, methods.catalog["architectures"], faults)
    if not filled["loss"]:
        return None
    is_number = task.takes_numbers(filled["loss"], methods)
    found = facts_of_table(asked, is_number=is_number, ask=ask, faults=faults)
    if found is None:
        return None
    facts, content_hash = found
    filled["dataset"] |= {"features": list(facts.features), "content_hash": content_hash}
    filled["dataset"] |= _counts(asked, facts, faults)
    return facts


def of_images(asked: DatasetSpec, facts: DatasetFacts, faults: Faults) -> Filled:
    """A data set of images with every default filled in."""
    filled = asked.model_dump(mode="json")
    for field in OF_TABLES:
        if filled[field] is None:
            del filled[field]
        elif field != "target":
            text = f"is for a table, and {facts.name} has images: leave it out"
            faults.append(Fault(f"/dataset/{field}", text))
    task.check_target(asked, facts, faults)
    filled["image_size"] = asked.image_size or facts.image_size
    filled["channels"] = asked.channels or facts.channels
    return filled | _counts(asked, facts, faults)


def check_size(filled: Filled, methods: Methods, faults: Faults) -> None:
    """Check the image size against the bounds of the architecture."""
    architecture, size = filled["architecture"], filled["dataset"].get("image_size")
    if not architecture or size is None:
        return
    bounds = methods.catalog["architectures"][architecture["name"]]["image_size"]
    smallest, largest = bounds["minimum"], bounds.get("maximum")
    if size >= smallest and (largest is None or size <= largest):
        return
    admitted = f"at least {smallest}" + (f" and at most {largest}" if largest else "")
    nearest_size = smallest if size < smallest else largest
    text = f"is {size}, and {architecture['name']} takes images of {admitted} pixels: "
    faults.append(Fault("/dataset/image_size", f'{text}take "image_size": {nearest_size}'))


def _counts(asked: DatasetSpec, facts: DatasetFacts, faults: Faults) -> Filled:
    """How many images or rows each split has; what was asked where that cannot be had."""
    try:
        counts = resolve_splits(
            facts, train=asked.train, validation=asked.validation, test=asked.test
        )
    except SplitsRefused as refused:
        faults += [Fault(f"/dataset/{one.field}", one.message) for one in refused.faults]
        return {}
    return {"train": counts.train, "validation": counts.validation, "test": counts.test}
