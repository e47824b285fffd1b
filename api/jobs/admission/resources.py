"""The resources that a job requests."""

from api.jobs.admission.draft import Draft


def check_gpus(draft: Draft) -> None:
    """Check that the job takes a single device: more is not supported."""
    if draft.spec is not None and draft.spec.resources.gpus > 1:
        text = f"is {draft.spec.resources.gpus}; it must be 1: a job trains on one device"
        draft.fault("/resources/gpus", text)
