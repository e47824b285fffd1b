"""The dataset: its name, the shape and the normalization of its samples, and its splits."""

from dataclasses import replace
from typing import Any

from api.catalog.hints import hint, spelling_hint
from api.http.faults import quoted
from api.jobs.admission import tables, uploaded
from api.jobs.admission.draft import Draft
from api.jobs.admission.splits import fill_splits
from api.services.principal import Principal
from shared.database import Database
from shared.datasets import FACTS, DatasetFacts
from shared.errors import Fault
from shared.spec import DatasetSpec

#: Fields that only a table has, and the target; left out of an image dataset where they are null.
OPTIONAL = (
    *("target", "file", "features", "content_hash", "target_normalization"),
    *("resize", "residency"),
)
#: The fields among them that an image dataset may have.
OF_IMAGES = ("target", "resize", "residency")


def check_name(draft: Draft) -> None:
    """Find the dataset."""
    context = draft.context
    found = facts_of(draft.raw.get("dataset"), context.database, context.principal)
    draft.facts = draft.faults.take(found)


def fill(draft: Draft) -> None:
    """Fill in the shape and the splits of images, or the columns and the splits of a table."""
    if draft.spec is None or draft.facts is None:
        return
    if draft.facts.kind == "table":
        tables.fill(draft)
        return
    spec = draft.spec.dataset
    draft.filled["dataset"] = draft.faults.take(fill_images(spec, draft.facts))
    if spec.target in draft.facts.number_targets:
        draft.facts = replace(draft.facts, classes=())


def fill_normalization(draft: Draft) -> None:
    """Fill in how pixels become inputs: as the weights expect where there are weights."""
    if draft.spec is None or draft.facts is None:
        return
    # As posted: weights with a fault are not in `spec`, and their fault is enough.
    fine_tuning = draft.raw.get("fine_tuning")
    has_weights = isinstance(fine_tuning, dict) and fine_tuning.get("weights") is not None
    normalization = draft.spec.dataset.normalization
    if normalization == "of_weights" and not has_weights:
        text = "is of_weights, but the job has no weights; use standardize, unit or none"
        draft.fault("/dataset/normalization", text)
    default = "of_weights" if has_weights else "standardize"
    draft.filled["dataset"]["normalization"] = normalization or default


def facts_of(
    raw: Any, database: Database | None, principal: Principal
) -> tuple[DatasetFacts | None, list[Fault]]:
    """Return the facts of a dataset; None where it is unknown or has no name.

    Args:
        raw: a name, or an object with a name. The check of the structure reports anything else.
        database: of the uploads; without it only built-in datasets are known.
        principal: who asks; the uploads that they may not read are unknown.
    """
    name = raw.get("name") if isinstance(raw, dict) else raw
    if not isinstance(name, str):
        return None, []
    if name in FACTS:
        return FACTS[name], []
    if database is not None:
        found = uploaded.find(name, database, principal)
        if found is not None:
            return found
        text = uploaded.unknown(name, database, principal)
    else:
        text = f"{quoted(name)} is not a dataset. {hint(name, FACTS)}"
    return None, [Fault("/dataset/name", text)]


def fill_images(spec: DatasetSpec, facts: DatasetFacts) -> tuple[dict[str, Any], list[Fault]]:
    """Fill in the defaults of an image dataset."""
    filled, faults = spec.model_dump(mode="json"), list[Fault]()
    for name in OPTIONAL:
        if filled[name] is None:
            del filled[name]
        elif name not in OF_IMAGES and not (name == "content_hash" and facts.content_hash):
            text = f"is for tables, but {facts.name} has images; leave it out"
            faults.append(Fault(f"/dataset/{name}", text))
    faults += _target_faults(spec.target, facts)
    if facts.content_hash:
        faults += uploaded.check_hash(spec.content_hash, facts)
        filled |= {"name": facts.name, "content_hash": facts.content_hash}
        filled["resize"] = spec.resize or "crop"
    filled["image_size"] = spec.image_size or facts.image_size
    filled["channels"] = spec.channels or facts.channels
    splits, split_faults = fill_splits(spec, facts)
    return filled | splits, faults + split_faults


def _target_faults(target: str | None, facts: DatasetFacts) -> list[Fault]:
    if target is None or target in facts.number_targets:
        return []
    text = f"{quoted(target)} is not a target of {facts.name}"
    if facts.number_targets:
        text += f". {spelling_hint(target, facts.number_targets)}. Leave it out to predict classes"
    else:
        text += ", which has only classes; leave it out"
    return [Fault("/dataset/target", text)]
