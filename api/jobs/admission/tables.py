"""Tables as datasets: their rows, columns and classes, as the sidecar reads them."""

from dataclasses import replace
from typing import Any

from api.jobs.admission.draft import Draft
from api.jobs.admission.splits import fill_splits
from shared.errors import InvalidSpec

REQUIRED = {"file": "is required: the file of the table", "target": "is required: a column"}
OF_IMAGES = ("image_size", "channels", "resize", "residency")


def check_methods(draft: Draft) -> None:
    """Check that architecture and augmentation take the rows of a table."""
    if draft.spec is None or draft.facts is None or draft.facts.kind != "table":
        return
    architecture = draft.filled["architecture"]
    if architecture is not None:
        entries = draft.methods.catalog["architectures"]
        fitting = [name for name, entry in entries.items() if entry["image_size"]["minimum"] == 1]
        if architecture["name"] not in fitting:
            text = f"{architecture['name']} takes images, but a table has rows; use "
            draft.fault("/architecture/name", text + " or ".join(sorted(fitting)))
    if draft.filled["augmentation"]:
        draft.fault("/augmentation", "is for images, but a table has rows; leave it out")


def fill(draft: Draft) -> None:
    """Fill in what the sidecar reads of the table, and replace the dataset's facts by it.

    The facts are None where the table cannot be read.
    """
    facts = draft.facts
    if draft.spec is None or facts is None:
        return
    draft.facts = None
    spec = draft.spec.dataset
    target = spec.target or facts.target or None
    filled = spec.model_dump(mode="json") | {"name": facts.name, "target": target}
    draft.filled["dataset"] = filled
    if draft.task is None:
        return
    _check_fields(draft, filled, is_upload=bool(facts.content_hash))
    if target is None or (spec.file is None) != bool(facts.content_hash):
        return
    table = _read(draft, filled)
    if table is None:
        return
    for warning in table["warnings"]:
        draft.warn(**warning)
    content_hash, features = table["content_hash"], table["features"]
    if spec.content_hash not in (None, content_hash):
        text = f"is not the hash of {spec.file or facts.name}, which is {content_hash}"
        draft.fault("/dataset/content_hash", text)
    draft.facts = replace(
        facts,
        train=table["rows"],
        classes=tuple(table["classes"]),
        features=tuple(features),
        channels=len(features),
    )
    filled |= {"features": list(features), "content_hash": content_hash}
    if draft.task == "regression":
        filled["target_normalization"] = spec.target_normalization or "standardize"
    filled |= draft.faults.take(fill_splits(spec, draft.facts))


def _read(draft: Draft, filled: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the sidecar reads of the table, or record its faults."""
    fields = {name: filled[name] for name in ("name", "file", "target", "features")}
    try:
        return draft.context.sidecar.send(
            "table", {**fields, "is_number": draft.task == "regression"}
        )
    except InvalidSpec as refused:
        for fault in refused.faults:
            is_of_upload = filled["file"] is None and fault.pointer == "/dataset/file"
            draft.fault("/dataset/name" if is_of_upload else fault.pointer, fault.detail)
        return None


def _check_fields(draft: Draft, filled: dict[str, Any], *, is_upload: bool) -> None:
    if is_upload and filled["file"] is not None:
        text = f"is for the data set `table`, but {filled['name']} is an upload; leave it out"
        draft.fault("/dataset/file", text)
    for name, text in REQUIRED.items():
        if filled[name] is None and not is_upload:
            draft.fault(f"/dataset/{name}", text)
    for name in OF_IMAGES:
        if filled[name] is not None:
            draft.fault(f"/dataset/{name}", "is for images, but a table has rows; leave it out")
    if filled["target_normalization"] is not None and draft.task == "classification":
        text = "is for a regression, but the loss is for classification; leave it out"
        draft.fault("/dataset/target_normalization", text)
    if filled["normalization"] == "unit":
        text = "is unit, which is for images; use standardize or none"
        draft.fault("/dataset/normalization", text)
