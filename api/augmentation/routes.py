"""`POST /v1/augmentation/preview`: a batch before and after, as a picture."""

import base64
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from api.augmentation.schemas import MOST_PIXELS, PREVIEW_BODY, PreviewSpec, most_images
from api.catalog.methods import Faults, shown
from api.deps import ServicesDep
from api.http.requests import json_body
from api.http.schemas import content
from api.http.strict_json import parse
from api.jobs.admission import dataset as datasets
from api.jobs.admission.checks import in_order
from api.jobs.admission.structure import faults_of, mended
from api.jobs.admission.task import check_turns
from api.services import Services
from shared.datasets import TABLE, is_at_hand
from shared.errors import Conflict, Fault, InvalidSpec
from shared.spec import DatasetSpec

router = APIRouter(prefix="/v1/augmentation", tags=["augmentation"])

MODELS = {(): PreviewSpec, ("dataset",): DatasetSpec}


@router.post(
    "/preview",
    summary="A batch before and after augmentation, as a PNG",
    openapi_extra=PREVIEW_BODY,
    responses={200: content("image/png")},
    response_class=Response,
)
async def preview(request: Request, services: ServicesDep) -> Response:
    """Originals above, made ones beneath: a person should not be able to tell them apart."""
    body = await json_body(request)
    png = await services.sidecar.in_thread(_preview, services, body)
    return Response(png, media_type="image/png")


def _preview(services: Services, body: bytes) -> bytes:
    question = _admitted(parse(body), services)
    name = question["dataset"]["name"]
    if not is_at_hand(name, services.settings.home):
        raise Conflict(
            f"{name} is not on this box yet; the first job that trains on it fetches it."
        )
    return base64.b64decode(services.sidecar.ask({"ask": "preview", **question})["png"])


def _admitted(raw: Any, services: Services) -> dict[str, Any]:
    """What was asked, checked as a job's parts are, and filled in; every fault at once."""
    if not isinstance(raw, dict):
        raise InvalidSpec([Fault("", f"a preview's body is an object, and this is {shown(raw)}")])
    faults: Faults = []
    asked = _structure(raw, faults)
    augmentation = services.methods.named(
        "augmentations", raw.get("augmentation", {}), "/augmentation", faults
    )
    facts = datasets.known(raw.get("dataset"), faults)
    if asked is None or facts is None:
        raise InvalidSpec(in_order(faults))
    if facts.name == TABLE.name:
        faults.append(Fault("/dataset/name", "table has rows, and a preview is of images"))
        raise InvalidSpec(in_order(faults))
    dataset = datasets.of_images(asked.dataset, facts, faults)
    if dataset.get("target") == "rotation":
        check_turns(augmentation, services.methods, faults)
    count, most = asked.images(dataset["image_size"]), most_images(dataset["image_size"])
    if count > most:
        text = f"is {count} images of {dataset['image_size']} pixels; a picture has at most "
        faults.append(Fault("/count", f"{text}{MOST_PIXELS:,} of their pixels: take 1 to {most}"))
    if faults:
        raise InvalidSpec(in_order(faults))
    return {"dataset": dataset, "augmentation": augmentation, "seed": asked.seed, "count": count}


def _structure(raw: dict[str, Any], faults: Faults) -> PreviewSpec | None:
    """The body as its model; what is at fault is left out, so that the rest is checked."""
    try:
        return PreviewSpec.model_validate(raw)
    except ValidationError as error:
        faults += faults_of(error, MODELS)
        return mended(raw, PreviewSpec, error)
