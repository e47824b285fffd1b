"""Tables as datasets: their rows, columns and classes, as the sidecar reads them."""

from dataclasses import replace

from api.jobs.admission.draft import Draft
from api.jobs.admission.splits import fill_splits
from shared.datasets import TABLE
from shared.errors import InvalidSpec
from shared.spec import DatasetSpec

REQUIRED = {"file": "is required: the file of the table", "target": "is required: a column"}
OF_IMAGES = ("image_size", "channels", "resize", "residency")


def check_methods(draft: Draft) -> None:
    """Check that architecture and augmentation take the rows of a table."""
    if draft.spec is None or draft.facts is None or draft.facts.name != TABLE.name:
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
    if draft.spec is None:
        return
    draft.facts = None
    spec = draft.spec.dataset
    draft.filled["dataset"] = spec.model_dump(mode="json")
    if draft.task is None:
        return
    _check_fields(draft, spec)
    if spec.file is None or spec.target is None:
        return
    try:
        table = draft.context.sidecar.send(
            "table",
            {
                "file": spec.file,
                "target": spec.target,
                "features": None if spec.features is None else list(spec.features),
                "is_number": draft.task == "regression",
            },
        )
    except InvalidSpec as refused:
        draft.faults.extend(refused.faults)
        return
    for warning in table["warnings"]:
        draft.warn(**warning)
    content_hash, features = table["content_hash"], table["features"]
    if spec.content_hash not in (None, content_hash):
        text = f"is not the hash of {spec.file}, which is {content_hash}"
        draft.fault("/dataset/content_hash", text)
    draft.facts = replace(
        TABLE,
        train=table["rows"],
        classes=tuple(table["classes"]),
        features=tuple(features),
        channels=len(features),
    )
    draft.filled["dataset"] |= {"features": list(features), "content_hash": content_hash}
    if draft.task == "regression":
        draft.filled["dataset"]["target_normalization"] = spec.target_normalization or "standardize"
    draft.filled["dataset"] |= draft.faults.take(fill_splits(spec, draft.facts))


def _check_fields(draft: Draft, spec: DatasetSpec) -> None:
    for name, text in REQUIRED.items():
        if getattr(spec, name) is None:
            draft.fault(f"/dataset/{name}", text)
    for name in OF_IMAGES:
        if getattr(spec, name) is not None:
            draft.fault(f"/dataset/{name}", "is for images, but a table has rows; leave it out")
    if spec.target_normalization is not None and draft.task == "classification":
        text = "is for a regression, but the loss is for classification; leave it out"
        draft.fault("/dataset/target_normalization", text)
    if spec.normalization == "unit":
        text = "is unit, which is for images; use standardize or none"
        draft.fault("/dataset/normalization", text)
