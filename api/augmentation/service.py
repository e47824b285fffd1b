"""The check of a preview's body, as a job's parts are checked, and the sidecar's picture."""

import base64
from typing import Any

from api.augmentation.schemas import MAX_PIXELS, PreviewSpec, max_images
from api.http.faults import Faults, abbreviated
from api.http.strict_json import parse
from api.jobs.admission import dataset, structure
from api.jobs.admission.methods import target_faults
from api.services.container import Services
from api.services.principal import Principal
from shared.datasets import FACTS, is_available
from shared.errors import Conflict, Fault, InvalidSpec
from shared.spec import DatasetSpec

MODELS: structure.Models = {(): PreviewSpec, ("dataset",): DatasetSpec}


def preview(services: Services, principal: Principal, body: bytes) -> bytes:
    """Return the picture as a PNG.

    Raises:
        InvalidSpec: with every fault of the body.
        Conflict: the dataset is not on this box yet.
        Unavailable: the sidecar does not respond.
    """
    request = _filled(services, principal, parse(body))
    name = request["dataset"]["name"]
    if name in FACTS and not is_available(name, services.settings.home):
        raise Conflict(f"{name} is not on this box yet; the first job that uses it fetches it.")
    return base64.b64decode(services.sidecar.send("preview", request)["png"])


def _filled(services: Services, principal: Principal, raw: Any) -> dict[str, Any]:
    """Check a body and fill in its defaults."""
    if not isinstance(raw, dict):
        raise InvalidSpec([Fault("", f"is {abbreviated(raw)}; it must be an object")])
    faults, methods = Faults(), services.methods
    spec = faults.take(structure.read(raw, PreviewSpec, MODELS))
    names = raw.get("augmentation", {})
    augmentations = faults.take(methods.named("augmentations", names, "/augmentation"))
    facts = faults.take(dataset.facts_of(raw.get("dataset"), services.database, principal))
    if facts is not None and facts.kind == "table":
        faults.add("/dataset/name", "is a table, but a preview shows images; use another dataset")
        facts = None
    if spec is None or facts is None:
        raise InvalidSpec(faults.in_order())
    filled = faults.take(dataset.fill_images(spec.dataset, facts))
    faults.extend(target_faults(spec.dataset.target, augmentations, methods))
    size = filled["image_size"]
    count, maximum = spec.images(size), max_images(size)
    if count > maximum:
        text = f"is {count}; a picture has at most {MAX_PIXELS:,} pixels of images, "
        faults.add("/count", f"{text}which are {maximum} of {size}x{size}")
    faults.raise_if_any()
    return {"dataset": filled, "augmentation": augmentations, "seed": spec.seed, "count": count}
