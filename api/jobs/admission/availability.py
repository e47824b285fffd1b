"""Whether a worker can get the data set and the pretrained weights: the sidecar looks for them."""

from api.jobs.admission.draft import Draft
from api.jobs.admission.weights import pretrained_name
from shared.errors import InvalidSpec, Unavailable


def check_dataset(draft: Draft) -> None:
    """Check that the files of the dataset are on the box or can be downloaded."""
    if draft.facts is not None and draft.facts.files:
        _ask(draft, "dataset", draft.facts.name)


def check_pretrained(draft: Draft) -> None:
    """Check that the pretrained weights are on the box or can be downloaded."""
    name = pretrained_name(draft)
    if name in draft.methods.with_fact("architectures", "pretrained"):
        _ask(draft, "pretrained", name)


def _ask(draft: Draft, operation: str, name: str) -> None:
    """Record the sidecar's faults; none while it does not respond, since the job waits anyway."""
    try:
        draft.context.sidecar.confirm(operation, {"name": name})
    except InvalidSpec as refused:
        draft.faults.extend(refused.faults)
    except Unavailable:
        pass
