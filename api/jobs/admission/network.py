"""The network: its batches and devices, and whether the sidecar can build it."""

import re
from typing import Any

from api.http.json_pointer import pointer
from api.jobs.admission.draft import Draft
from api.jobs.admission.stages import stage_pointer
from shared.errors import InvalidSpec, Unavailable

#: Where a fault changes the network, so that the sidecar would build another network.
PARTS = re.compile(
    "/(dataset|architecture|regularizers|fine_tuning/head)|/fine_tuning(/stages(/[0-9]+)?)?$"
)

#: How many devices an error names.
MAX_NAMED_DEVICES = 8


def check_batch(draft: Draft) -> None:
    """Check that batches have two images or more where the network needs them."""
    if draft.spec is None or not _needs_two_per_batch(draft):
        return
    text = "is 1, but batch norm needs at least 2 images in a batch"
    if draft.spec.training.batch_size == 1:
        draft.fault("/training/batch_size", text)
    if draft.filled["dataset"].get("train") == 1:
        draft.fault("/dataset/train", text)


def check_gpus(draft: Draft) -> None:
    """Check that a worker has so many devices, where any worker is known."""
    gpus = 1 if draft.spec is None else draft.spec.resources.gpus
    names = draft.context.largest_worker() if gpus > 1 else ()
    if 0 < len(names) < gpus:
        exist = "1 device" if len(names) == 1 else f"{len(names)} devices"
        listed = ", ".join(names[:MAX_NAMED_DEVICES])
        text = f"is {gpus}; it must be at most {len(names)}: the largest worker has {exist} "
        draft.fault("/resources/gpus", f"{text}({listed})")


def check_gpu_memory(draft: Draft) -> None:
    """Check that a device has the requested memory, where devices with memory are known."""
    needed = None if draft.spec is None else draft.spec.resources.gpu_memory_mib
    largest = draft.context.largest_device_mib() if needed else 0.0
    if needed and 0 < largest < needed:
        text = f"is {needed}; it must be at most {largest:.0f}, which the largest device has for "
        draft.fault("/resources/gpu_memory_mib", text + "jobs")


def prepare(draft: Draft) -> None:
    """Prepare the sidecar's request, unless faults leave the network unknown."""
    if draft.spec is None or draft.facts is None or draft.filled["architecture"] is None:
        return
    if draft.faults.match(PARTS):
        return
    filled = draft.filled
    dataset = filled["dataset"]
    size = dataset.get("image_size") or 1
    draft.network = {
        **_fine_tuning(filled["fine_tuning"]),
        "architecture": filled["architecture"],
        "regularizers": filled["regularizers"],
        "image": [dataset.get("channels") or draft.facts.channels, size, size],
        "classes": len(draft.facts.classes) or 1,
        "patterns": _patterns(filled),
    }


def describe(draft: Draft) -> None:
    """Have the sidecar build the network.

    Raises:
        Unavailable: the sidecar does not answer, and no other fault can be reported.
    """
    if draft.network is None:
        return
    try:
        draft.description = draft.context.sidecar.describe(draft.network)
    except InvalidSpec as refused:
        draft.faults.extend(refused.faults)
    except Unavailable:
        if not draft.faults:
            raise


def _needs_two_per_batch(draft: Draft) -> bool:
    """Return whether a layer of the network normalizes over the samples of a batch."""
    entries = draft.methods.catalog["regularizers"]
    names = draft.methods.with_fact("regularizers", "needs_two_per_batch")
    if any(name in draft.filled["regularizers"] for name in names):
        return True
    architecture = draft.filled["architecture"]
    if architecture is None:
        return False
    # The first parameter that such a regularizer sets switches the layers on.
    switches = [entries[name]["sets"][0] for name in names]
    values = [architecture[switch] for switch in switches if switch in architecture]
    return (
        any(values) if values else draft.facts_of("architectures", architecture)["has_batch_norm"]
    )


def _fine_tuning(fine_tuning: dict[str, Any] | None) -> dict[str, Any]:
    """Return what fine-tuning changes of the network, and the layers that its stages name."""
    if not fine_tuning:
        return {}
    first = {
        stage_pointer(index, "train", "from"): stage["train"]["from"]
        for index, stage in enumerate(fine_tuning["stages"])
        if isinstance(stage["train"], dict)
    }
    request = {"head": fine_tuning["head"], "first": first}
    pretrained = (fine_tuning["weights"] or {}).get("pretrained")
    return {**request, "pretrained": pretrained} if pretrained else request


def _patterns(filled: dict[str, Any]) -> dict[str, str]:
    """Return the patterns of layers in the specification, each of which must match one."""
    patterns = {
        pointer("regularizers", name, "only"): parameters["only"]
        for name, parameters in filled["regularizers"].items()
        if parameters.get("only") is not None
    }
    for pattern in (filled["initializer"] or {}).get("overrides", ()):
        patterns[pointer("initializer", "overrides", pattern)] = pattern
    return patterns
