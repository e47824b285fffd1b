"""What a job asks its network for: classes or a number, and what goes with which."""

from typing import Any

from api.catalog.methods import Faults, Methods, nearest, shown
from api.http.json_pointer import escape
from shared.datasets import TABLE, DatasetFacts
from shared.errors import Fault
from shared.spec import CheckpointSpec, DatasetSpec, JobSpec

DEFAULT_LOSS, DEFAULT_NUMBER_LOSS = "cross_entropy", "l2"
DEFAULT_TOP_K = (1, 5)
BEST_OF_NUMBERS = (
    CheckpointSpec(monitor="val_loss", mode="min"),
    CheckpointSpec(monitor="val_mean_absolute_error", mode="min"),
)

Filled = dict[str, Any]


def default_loss(dataset: Any, facts: DatasetFacts | None) -> str:
    """The loss of a job that names none."""
    target = dataset.get("target") if isinstance(dataset, dict) else None
    asks_for_a_number = facts is not None and target in facts.number_targets
    return DEFAULT_NUMBER_LOSS if asks_for_a_number else DEFAULT_LOSS


def takes_numbers(loss: Filled | None, methods: Methods) -> bool:
    """Whether a loss is for numbers."""
    return loss is not None and methods.catalog["losses"][loss["name"]].get("target") == "number"


def default_checkpoints(raw: Filled, filled: Filled, methods: Methods) -> None:
    """The two best checkpoints of a job that asks for a number and names none."""
    if "checkpoints" not in raw and takes_numbers(filled["loss"], methods):
        filled["checkpoints"] = [one.model_dump(mode="json") for one in BEST_OF_NUMBERS]


def check(
    spec: JobSpec,
    filled: Filled,
    facts: DatasetFacts,
    methods: Methods,
    faults: Faults,
) -> None:
    """Fill in what depends on the target; add what is at fault."""
    _check_loss(filled, facts, methods, faults)
    _check_regularizers(filled, methods, faults)
    _fill_top_k(spec, filled, facts, faults)
    if spec.dataset.target == "rotation":
        check_turns(filled["augmentation"], methods, faults)


def check_target(dataset: DatasetSpec, facts: DatasetFacts, faults: Faults) -> None:
    """Whether the data set has what is asked for."""
    target = dataset.target
    if target is None or facts.name == TABLE.name or target in facts.number_targets:
        return
    if facts.number_targets:
        text = nearest(target, facts.number_targets)
        text = f"is {shown(target)}; {text}, or leave it out: then its classes are asked for"
    else:
        text = f"is {shown(target)}, and {facts.name} asks for its classes alone: leave it out"
    faults.append(Fault("/dataset/target", text))


def check_turns(augmentation: Filled, methods: Methods, faults: Faults) -> None:
    """What changes the angle of an image would change the right answer and not say so."""
    for name in augmentation:
        if methods.catalog["augmentations"][name].get("turns"):
            text = "changes the angle that is asked for, and not what counts as right: leave it out"
            faults.append(Fault(f"/augmentation/{escape(name)}", text))


def _check_loss(filled: Filled, facts: DatasetFacts, methods: Methods, faults: Faults) -> None:
    loss, losses = filled["loss"], methods.catalog["losses"]
    if not loss:
        return
    name, classes = loss["name"], len(facts.classes)
    if takes_numbers(loss, methods) != (not classes):
        kind, asked = ("a number", "classes") if classes else ("classes", "a number")
        fitting = [
            one for one in losses if (losses[one].get("target") == "number") == (not classes)
        ]
        text = (
            f"{name} is for {kind}, and {asked} is asked for"
            if not classes
            else (f"{name} is for {kind}, and {facts.name} asks for {asked}")
        )
        text += f": take one of {', '.join(sorted(fitting))}"
        if facts.number_targets and classes:
            text += f", or give dataset.target {' or '.join(facts.number_targets)}"
        faults.append(Fault("/loss/name", text))
    only = losses[name].get("classes")
    if only is not None and classes and classes != only:
        text = f"{name} is for {only} classes, and {facts.name} has {classes}: take cross_entropy"
        faults.append(Fault("/loss/name", text))


def _check_regularizers(filled: Filled, methods: Methods, faults: Faults) -> None:
    loss, entries = filled["loss"], methods.catalog["regularizers"]
    if not loss:
        return
    is_number = takes_numbers(loss, methods)
    takes_probabilities = methods.catalog["losses"][loss["name"]].get("takes_probabilities")
    for name in filled["regularizers"]:
        at = f"/regularizers/{escape(name)}"
        if is_number and entries[name].get("needs_classes"):
            text = f"needs classes, and the loss {loss['name']} is for a number: leave it out"
            faults.append(Fault(at, text))
        elif entries[name].get("makes_probabilities") and not takes_probabilities:
            text = f"makes probabilities of the labels, and the loss {loss['name']} takes classes"
            faults.append(Fault(at, f"{text} alone: take cross_entropy, or leave it out"))


def _fill_top_k(spec: JobSpec, filled: Filled, facts: DatasetFacts, faults: Faults) -> None:
    classes, asked = len(facts.classes), spec.metrics.top_k
    if asked is None:
        filled["metrics"]["top_k"] = [k for k in DEFAULT_TOP_K if k <= classes]
    elif not classes and asked:
        text = "is for classes, and a number is asked for: leave it out"
        faults.append(Fault("/metrics/top_k", text))
    for place, k in enumerate(asked or ()):
        if classes and k > classes:
            text = f"is {k}, and {facts.name} has {classes} classes: take 1 to {classes}"
            faults.append(Fault(f"/metrics/top_k/{place}", text))
    if asked:
        filled["metrics"]["top_k"] = [*dict.fromkeys(asked)]  # each once, as they were given
