"""The architecture and the image sizes that it takes."""

from api.jobs.admission.draft import Draft


def choose(draft: Draft) -> None:
    """Fill in the architecture."""
    raw = draft.raw.get("architecture")
    draft.filled["architecture"] = draft.choice("architectures", raw, "/architecture")


def check_image_size(draft: Draft) -> None:
    """Check the image size against the bounds of the architecture."""
    if draft.spec is None:
        return
    architecture, size = draft.filled["architecture"], draft.filled["dataset"].get("image_size")
    if architecture is None or size is None:
        return
    bounds = draft.facts_of("architectures", architecture)["image_size"]
    minimum, maximum = bounds["minimum"], bounds.get("maximum")
    if size < minimum:
        limit = f"at least {minimum}"
    elif maximum is not None and size > maximum:
        limit = f"at most {maximum}"
    else:
        return
    text = f"is {size}; it must be {limit} for {architecture['name']}"
    draft.fault("/dataset/image_size", text)
