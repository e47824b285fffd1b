"""Fine-tuning in a specification: what its stages inherit, and what goes with what."""

import re
from typing import Any

from api.catalog.methods import Faults, Methods, shown
from api.jobs.admission.optimizer import chosen_optimizer
from shared.errors import Fault
from shared.spec import JobSpec, OptimizerSpec

AT = "/fine_tuning"
#: Where a fault leaves a stage without its number of epochs.
EPOCHS = re.compile(f"{AT}/stages/[0-9]+(/epochs)?$")
EARLY_STOPPING = "/training/early_stopping/monitor"
SCHEDULE = "/optimizer/schedule/monitor"


def complete(
    raw: dict[str, Any], spec: JobSpec, filled: dict[str, Any], methods: Methods, faults: Faults
) -> None:
    """Fill in stages and epochs; add what is at fault.

    Args:
        raw: the specification as it came.
        spec: its structure, without what is at fault there.
        filled: the specification that is being filled in.
        methods: the catalogue.
        faults: where faults are added.
    """
    if spec.fine_tuning is None:
        return
    stages = filled["fine_tuning"]["stages"]
    given = raw["fine_tuning"]["stages"]
    for place, (stage, one) in enumerate(zip(stages, given, strict=True)):
        own = one.get("optimizer") if isinstance(one, dict) else None
        stage["optimizer"] = filled["optimizer"] and dict(filled["optimizer"])
        if own is not None:
            at = f"{AT}/stages/{place}/optimizer"
            stage["optimizer"] = chosen_optimizer(own, at, methods, faults)
        if stage["early_stopping"] is None:
            stage["early_stopping"] = filled["training"]["early_stopping"]
    if not any(EPOCHS.match(fault.pointer) for fault in faults):
        _epochs(raw, filled, faults)
    _pretrained(spec, filled, methods, faults)


def normalization(raw: dict[str, Any], spec: JobSpec, faults: Faults) -> str:
    """How pixels become inputs: what was asked for, else what the weights expect."""
    asked, given = spec.dataset.normalization, raw.get("fine_tuning")
    # As they came: such as are at fault are told already, and are no longer in `spec`.
    has_weights = isinstance(given, dict) and given.get("weights") is not None
    if asked == "of_weights" and not has_weights:
        text = "is of_weights, and there are none: take standardize, unit or none"
        faults.append(Fault("/dataset/normalization", text))
    return asked or ("of_weights" if has_weights else "standardize")


def stages_of(filled: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages; a training that is not fine-tuning is one."""
    tuning = filled["fine_tuning"]
    return tuning["stages"] if tuning else [{"optimizer": filled["optimizer"]}]


def optimizers_with_parameters(filled: dict[str, Any]) -> list[dict[str, Any]]:
    """The optimizer of every stage with its own parameters, each once."""
    found: list[dict[str, Any]] = []
    for stage in stages_of(filled):
        chosen = OptimizerSpec.model_validate(stage["optimizer"])
        own = {"name": chosen.name, **chosen.parameters}
        if own not in found:
            found.append(own)
    return found


def optimizers_of(spec: JobSpec, filled: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every optimizer that is given, by where it stands; those with faults are left out."""
    found = [("/optimizer", filled["optimizer"])]
    for place, stage in enumerate(spec.fine_tuning.stages if spec.fine_tuning else ()):
        if stage.optimizer is not None:
            own = filled["fine_tuning"]["stages"][place]["optimizer"]
            found.append((f"{AT}/stages/{place}/optimizer", own))
    return [(at, optimizer) for at, optimizer in found if optimizer]


def check_channels(filled: dict[str, Any], methods: Methods, faults: Faults) -> None:
    """Whether the images have as many channels as the model library's weights were made for."""
    weights = (filled["fine_tuning"] or {}).get("weights") or {}
    name, channels = weights.get("pretrained"), filled["dataset"].get("channels")
    if name is None or channels is None or name != (filled["architecture"] or {}).get("name"):
        return
    entry = methods.catalog["architectures"][name]
    if not entry.get("pretrained"):
        return
    expected = len(entry["normalization"]["mean"])
    if channels != expected:
        faults.append(Fault("/dataset/channels", wrong_channels(channels, expected)))


def wrong_channels(channels: int, expected: int) -> str:
    """What is wrong with a number of channels beside that of the weights."""
    text = f"is {channels}, and the weights expect {expected} channels: "
    return text + (f'take "channels": {expected}' if expected in (1, 3) else "take other weights")


def watched_by_stages(filled: dict[str, Any]) -> list[tuple[str, str]]:
    """What early stopping and schedules watch, each with where it is said."""
    stopping, optimizer = filled["training"]["early_stopping"], filled["optimizer"]
    watched = [(EARLY_STOPPING, stopping), (SCHEDULE, (optimizer or {}).get("schedule"))]
    for place, stage in enumerate(stages_of(filled) if filled["fine_tuning"] else ()):
        at = f"{AT}/stages/{place}"
        if stage["early_stopping"] != stopping:
            watched.append((f"{at}/early_stopping/monitor", stage["early_stopping"]))
        if stage["optimizer"] != optimizer:
            schedule = (stage["optimizer"] or {}).get("schedule")
            watched.append((f"{at}/optimizer/schedule/monitor", schedule))
    return [(at, part["monitor"]) for at, part in watched if part and "monitor" in part]


def question(filled: dict[str, Any]) -> dict[str, Any]:
    """What the sidecar has to know of it."""
    tuning = filled["fine_tuning"]
    if not tuning:
        return {}
    first = {
        f"{AT}/stages/{place}/train/from": stage["train"]["from"]
        for place, stage in enumerate(tuning["stages"])
        if isinstance(stage["train"], dict)
    }
    asked = {"head": tuning["head"], "first": first}
    pretrained = (tuning["weights"] or {}).get("pretrained")
    return {**asked, "pretrained": pretrained} if pretrained else asked


def _epochs(raw: dict[str, Any], filled: dict[str, Any], faults: Faults) -> None:
    total = sum(stage["epochs"] for stage in filled["fine_tuning"]["stages"])
    training = raw.get("training")
    asked = training.get("epochs", total) if isinstance(training, dict) else total
    if asked != total:
        text = f"is {shown(asked)}, and the stages have {total} together: leave it out"
        faults.append(Fault("/training/epochs", text))
    filled["training"]["epochs"] = total


def _pretrained(spec: JobSpec, filled: dict[str, Any], methods: Methods, faults: Faults) -> None:
    weights = spec.fine_tuning.weights if spec.fine_tuning is not None else None
    architecture = filled["architecture"]
    if weights is None or weights.pretrained is None or not architecture:
        return
    at = f"{AT}/weights/pretrained"
    name = architecture["name"]
    entries = methods.catalog["architectures"]
    if weights.pretrained != name:
        text = f"is {shown(weights.pretrained)}, and the architecture is {name}: they have to agree"
        faults.append(Fault(at, text))
    elif not entries[name].get("pretrained"):
        known = ", ".join(sorted(one for one in entries if entries[one].get("pretrained")))
        faults.append(Fault(at, f"the model library has no weights of {name}; it has {known}"))
