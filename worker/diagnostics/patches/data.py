"""Patches of the data and the loss."""

from shared.datasets import FACTS
from worker.diagnostics.patches.patch import Changes, patch
from worker.diagnostics.view import View


def _normalization(view: View, name: str, expects: str) -> Changes | None:
    if view.spec["dataset"].get("normalization") == name:
        return None
    return Changes({"/dataset/normalization": name}, expects)


@patch
def standardize(view: View) -> Changes | None:
    """Scale the inputs to mean 0 and deviation 1."""
    expects = "standardized inputs, with mean 0 and deviation 1"
    return _normalization(view, "standardize", expects)


@patch
def of_weights(view: View) -> Changes | None:
    """Prepare the inputs as the weights expect."""
    if not (view.spec.get("fine_tuning") or {}).get("weights"):
        return None
    return _normalization(view, "of_weights", "the preprocessing that the weights expect")


@patch
def balanced(view: View) -> Changes | None:
    """Give every class the same weight in the loss."""
    if not view.classes or view.spec["loss"].get("class_weights"):
        return None
    return Changes({"/loss/class_weights": "balanced"}, "every class counts the same in the loss")


@patch
def more_data(view: View) -> Changes | None:
    """Train on ten times as many samples, or on all that the data set has."""
    dataset = view.spec["dataset"]
    facts = FACTS.get(dataset["name"])
    if facts is None or facts.kind != "images" or facts.synthetic:
        return None
    kept = dataset["validation"] + (0 if facts.test else dataset["test"])
    count = min(10 * dataset["train"], facts.train - kept)
    if count < 2 * dataset["train"]:
        return None
    return Changes({"/dataset/train": count}, f"{count} training samples")
