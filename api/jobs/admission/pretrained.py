"""Weights from the model library: whether it has them, and the images that they are for."""

from api.http.faults import quoted
from api.jobs.admission.draft import Draft


def check_name(draft: Draft) -> None:
    """Check that the weights belong to the architecture, and that the library has them."""
    name, architecture = _pretrained(draft), draft.filled.get("architecture")
    if name is None or not architecture:
        return
    available = draft.methods.with_fact("architectures", "pretrained")
    at = "/fine_tuning/weights/pretrained"
    if name != architecture["name"]:
        text = f"{quoted(name)} is not the architecture, which is {architecture['name']}; "
        draft.fault(at, f"{text}both must be the same")
    elif name not in available:
        text = f"{quoted(name)} has no weights in the model library. Available: "
        draft.fault(at, text + ", ".join(available))


def check_channels(draft: Draft) -> None:
    """Check that the images have as many channels as the weights expect."""
    name, architecture = _pretrained(draft), draft.filled.get("architecture")
    channels = draft.filled.get("dataset", {}).get("channels")
    if name is None or channels is None or not architecture or name != architecture["name"]:
        return
    entry = draft.facts_of("architectures", architecture)
    if not entry.get("pretrained"):
        return
    expected = len(entry["normalization"]["mean"])
    if channels != expected:
        draft.fault("/dataset/channels", f"is {channels}; it must be {expected} for these weights")


def _pretrained(draft: Draft) -> str | None:
    """Return the name of the library's weights, if the job starts from them."""
    if draft.spec is None or draft.spec.fine_tuning is None:
        return None
    weights = draft.spec.fine_tuning.weights
    return weights.pretrained if weights is not None else None
