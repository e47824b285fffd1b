"""Whether a specification is admitted: structure, methods, data set, and what they say together.

Every fault is found at once; what is admitted comes back with every default filled in.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.catalog.methods import Faults, Methods, nearest, shown
from api.catalog.metrics import epoch_metric_names
from api.http.json_pointer import escape
from api.jobs.admission import dataset, fine_tuning, task, warm_up
from api.jobs.admission.optimizer import chosen_initializer, chosen_optimizer
from api.jobs.admission.structure import faults_of, mended
from api.jobs.admission.tables import Ask
from api.jobs.admission.task import DEFAULT_TOP_K
from shared.datasets import DatasetFacts
from shared.errors import Fault, InvalidSpec
from shared.spec import JobSpec

#: Where a fault changes the network: the sidecar would be asked of another one.
OF_THE_NETWORK = re.compile(
    "/(dataset|architecture|regularizers|fine_tuning/head)|/fine_tuning(/stages(/[0-9]+)?)?$"
)


@dataclass(frozen=True)
class Examined:
    """A specification as far as it could be filled in, and all that is wrong with it."""

    faults: Faults
    spec: dict[str, Any]
    #: What the sidecar has to be asked; None where it is not known well enough of what network.
    question: dict[str, Any] | None


@dataclass(frozen=True)
class Admitted:
    """A specification that is whole, and what the sidecar has to be asked of it."""

    spec: dict[str, Any]
    question: dict[str, Any]


def admit(raw: Any, methods: Methods, ask: Ask) -> Admitted:
    """Check a specification and fill in its defaults.

    Args:
        raw: what was posted, parsed.
        methods: the catalogue.
        ask: the sidecar, which reads tables.

    Raises:
        InvalidSpec: with every fault that was found.
    """
    found = examine(raw, methods, ask)
    if found.faults or found.question is None:
        raise InvalidSpec(in_order(found.faults))
    return Admitted(found.spec, found.question)


def examine(raw: Any, methods: Methods, ask: Ask) -> Examined:
    """The same, with the faults beside what could be filled in in spite of them."""
    if not isinstance(raw, dict):
        fault = Fault("", f"a specification is an object, and this is {shown(raw)}")
        return Examined([fault], {}, None)
    faults: Faults = []
    spec = _structure(raw, faults)
    facts = dataset.known(raw.get("dataset"), faults)
    parts = _methods(raw, task.default_loss(raw.get("dataset"), facts), methods, faults)
    if spec is None:
        return Examined(faults, {}, None)
    filled = spec.model_dump(mode="json") | parts
    fine_tuning.complete(raw, spec, filled, methods, faults)
    facts = facts and dataset.of_job(spec.dataset, facts, filled, methods, ask, faults)
    if facts is not None:
        filled["dataset"]["normalization"] = fine_tuning.normalization(raw, spec, faults)
        task.check(spec, filled, facts, methods, faults)
    dataset.check_size(filled, methods, faults)
    fine_tuning.check_channels(filled, methods, faults)
    task.default_checkpoints(raw, filled, methods)
    _monitors(filled, facts, methods, faults)
    _together(spec, filled, methods, faults)
    warm_up.check(spec, filled, faults)
    return Examined(faults, filled, _question(filled, facts, faults))


def in_order(faults: Faults) -> Faults:
    """Each pointer's first fault, in the order of the pointers."""
    first: dict[str, Fault] = {}
    for fault in faults:
        first.setdefault(fault.pointer, fault)
    return [first[pointer] for pointer in sorted(first)]


def _structure(raw: dict[str, Any], faults: Faults) -> JobSpec | None:
    """The specification as its model; what is at fault is left out, so that the rest is checked."""
    try:
        return JobSpec.model_validate(raw)
    except ValidationError as error:
        faults += faults_of(error)
        return mended(raw, JobSpec, error)


def _methods(
    raw: dict[str, Any], default_loss: str, methods: Methods, faults: Faults
) -> dict[str, Any]:
    """Every part that names methods, filled in."""
    parts: dict[str, Any] = {}
    chosen = methods.choice("architectures", raw.get("architecture"), "/architecture", faults)
    parts["architecture"] = chosen
    parts["loss"] = methods.choice("losses", raw.get("loss", default_loss), "/loss", faults)
    for field, slot in (("regularizers", "regularizers"), ("augmentation", "augmentations")):
        parts[field] = methods.named(slot, raw.get(field, {}), f"/{field}", faults)
    parts["initializer"] = chosen_initializer(raw.get("initializer", "he_normal"), methods, faults)
    parts["optimizer"] = chosen_optimizer(
        raw.get("optimizer", "sgd"), "/optimizer", methods, faults
    )
    return parts


def _monitors(
    filled: dict[str, Any], facts: DatasetFacts | None, methods: Methods, faults: Faults
) -> None:
    top_k, entries = filled["metrics"]["top_k"], methods.catalog["regularizers"]
    stages = fine_tuning.stages_of(filled)
    clipped = [(stage.get("optimizer") or {}).get("gradient_clipping") for stage in stages]
    is_known = facts is not None and filled["loss"] is not None
    kinds = [task.takes_numbers(filled["loss"], methods)] if is_known else [False, True]
    known = {
        name
        for is_number in kinds
        for name in epoch_metric_names(
            methods.catalog,
            "regression" if is_number else "classification",
            top_k=DEFAULT_TOP_K if top_k is None else top_k,
            is_clipped=all(clipped),
            is_mixed=any(entries[name].get("mixes_targets") for name in filled["regularizers"]),
        )
    }
    watched = [
        (f"/checkpoints/{place}/monitor", one["monitor"])
        for place, one in enumerate(filled["checkpoints"])
        if one["monitor"] is not None
    ]
    kept = [monitor for _, monitor in watched]
    for place, (pointer, monitor) in enumerate(watched):
        if monitor in kept[:place]:
            text = f"{shown(monitor)} has a best checkpoint already; once will do"
            faults.append(Fault(pointer, text))
    watched += fine_tuning.watched_by_stages(filled)
    for pointer, monitor in watched:
        if monitor not in known:
            text = f"{shown(monitor)} is no metric of this job; {nearest(monitor, known)}"
            faults.append(Fault(pointer, text))
    filled["checkpoints"] = [
        {name: value for name, value in one.items() if value is not None}
        for one in filled["checkpoints"]
    ]


def _together(spec: JobSpec, filled: dict[str, Any], methods: Methods, faults: Faults) -> None:
    """What is wrong only in combination."""
    if spec.resources.gpus > 1:
        text = f"is {spec.resources.gpus}; a job trains on one device for now: take 1"
        faults.append(Fault("/resources/gpus", text))
    architecture = filled["architecture"] or {}
    for name in filled["regularizers"]:
        sets = methods.catalog["regularizers"][name].get("sets", [])
        if architecture and sets and not any(one in architecture for one in sets):
            text = f"has nothing to set in {architecture['name']}, which has no {' or '.join(sets)}"
            faults.append(Fault(f"/regularizers/{escape(name)}", text))
    for at, optimizer in fine_tuning.optimizers_of(spec, filled):
        _requirements(optimizer, at, methods, faults)
    has_norm = _has_norm(architecture, methods) or "batch_norm" in filled["regularizers"]
    if has_norm and spec.training.batch_size == 1:
        text = "is 1, and batch norm needs at least two images in a batch"
        faults.append(Fault("/training/batch_size", text))
    if has_norm and filled["dataset"].get("train") == 1:
        text = "is 1, and batch norm needs at least two images in a batch"
        faults.append(Fault("/dataset/train", text))


def _requirements(optimizer: dict[str, Any], at: str, methods: Methods, faults: Faults) -> None:
    """A parameter that means nothing without another one, as the catalogue says."""
    entry = methods.catalog["optimizers"][optimizer["name"]]
    for parameter, needed in entry.get("requires", {}).items():
        if optimizer[parameter] and not optimizer[needed]:
            text = f"is {shown(optimizer[parameter])} and {needed} {shown(optimizer[needed])}; "
            text += f"it means nothing without {needed}: take some, or leave it out"
            faults.append(Fault(f"{at}/{parameter}", text))


def _has_norm(architecture: dict[str, Any], methods: Methods) -> bool:
    """Whether the network has batch norm: where nothing sets it, the catalogue says so."""
    if not architecture:
        return False
    always = methods.catalog["architectures"][architecture["name"]]["has_batch_norm"]
    return bool(architecture.get("batch_norm", always))


def _question(
    filled: dict[str, Any], facts: DatasetFacts | None, faults: Faults
) -> dict[str, Any] | None:
    """Return the question for the sidecar, or None where the network itself has faults."""
    if facts is None or not filled["architecture"]:
        return None
    if any(OF_THE_NETWORK.match(fault.pointer) for fault in faults):
        return None
    dataset = filled["dataset"]
    size = dataset.get("image_size") or 1
    patterns = {
        f"/regularizers/{name}/only": given["only"]
        for name, given in filled["regularizers"].items()
        if given.get("only") is not None
    }
    for pattern in (filled["initializer"] or {}).get("overrides", ()):
        patterns[f"/initializer/overrides/{escape(pattern)}"] = pattern
    return {
        **fine_tuning.question(filled),
        "architecture": filled["architecture"],
        "regularizers": filled["regularizers"],
        "image": [dataset.get("channels") or facts.channels, size, size],
        "classes": len(facts.classes) or 1,
        "patterns": patterns,
    }
