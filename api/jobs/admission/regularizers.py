"""The regularizers, and whether they suit the task, the loss and the architecture."""

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft


def choose(draft: Draft) -> None:
    """Fill in the regularizers."""
    raw = draft.raw.get("regularizers", {})
    draft.filled["regularizers"] = draft.named("regularizers", raw, "/regularizers")


def check_task(draft: Draft) -> None:
    """Check that the task and the loss take the targets that regularizers make."""
    if draft.spec is None or draft.facts is None or draft.task is None:
        return
    loss, entries = draft.filled["loss"], draft.methods.catalog["regularizers"]
    fitting = draft.methods.with_fact("losses", "takes_probabilities")
    for name in draft.filled["regularizers"]:
        at = pointer("regularizers", name)
        if draft.task == "regression" and entries[name].get("needs_classes"):
            text = f"needs classes, but the loss {loss['name']} is for regression; leave it out"
            draft.fault(at, text)
        elif entries[name].get("makes_probabilities") and loss["name"] not in fitting:
            text = f"makes probabilities of the classes, which the loss {loss['name']} does not "
            draft.fault(at, f"{text}take; use {' or '.join(fitting)}, or leave it out")


def check_architecture(draft: Draft) -> None:
    """Check that the architecture has the parameters that regularizers set."""
    if draft.spec is None or draft.filled["architecture"] is None:
        return
    architecture = draft.filled["architecture"]
    for name in draft.filled["regularizers"]:
        parameters = draft.methods.catalog["regularizers"][name].get("sets", [])
        if parameters and not any(parameter in architecture for parameter in parameters):
            text = f"sets {' or '.join(parameters)}, but {architecture['name']} does not have it"
            draft.fault(pointer("regularizers", name), f"{text}; leave it out")
