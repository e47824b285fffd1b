"""`POST /v1/augmentation/preview`: a batch before and after, as a picture."""

import base64
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from api.augmentation.schemas import PREVIEW_BODY, PreviewSpec
from api.catalog.methods import Faults, nearest, shown
from api.deps import ServicesDep
from api.jobs.structure import faults_of
from api.requests import json_body
from api.services import Services
from api.strict_json import parse
from shared.datasets import FACTS, TABLE, is_at_hand
from shared.errors import Conflict, Fault, InvalidSpec

router = APIRouter(prefix="/v1/augmentation", tags=["augmentation"])


@router.post(
    "/preview",
    summary="A batch before and after augmentation, as a PNG",
    openapi_extra=PREVIEW_BODY,
    responses={200: {"content": {"image/png": {}}}},
    response_class=Response,
)
async def preview(request: Request, services: ServicesDep) -> Response:
    """Originals above, made ones beneath: a person should not be able to tell them apart."""
    body = await json_body(request)
    png = await run_in_threadpool(_preview, services, body)
    return Response(png, media_type="image/png")


def _preview(services: Services, body: bytes) -> bytes:
    asked, augmentation = _admitted(parse(body), services)
    if not is_at_hand(asked.dataset.name, services.settings.home):
        raise Conflict(
            f"{asked.dataset.name} is not on this box yet; the first job that trains on it "
            "fetches it."
        )
    answer = services.desk.ask(
        {
            "ask": "preview",
            "dataset": asked.dataset.model_dump(mode="json"),
            "augmentation": augmentation,
            "seed": asked.seed,
            "count": asked.count,
        }
    )
    return base64.b64decode(answer["png"])


def _admitted(raw: Any, services: Services) -> tuple[PreviewSpec, dict[str, Any]]:
    """What was asked, checked; every fault at once."""
    if not isinstance(raw, dict):
        raise InvalidSpec([Fault("", f"a preview's body is an object, and this is {shown(raw)}")])
    faults: Faults = []
    augmentation = services.methods.named(
        "augmentations", raw.get("augmentation", {}), "/augmentation", faults
    )
    try:
        asked = PreviewSpec.model_validate(raw)
    except ValidationError as error:
        raise InvalidSpec([*faults_of(error, {(): PreviewSpec}), *faults]) from error
    if asked.dataset.name not in FACTS:
        text = f"{shown(asked.dataset.name)} is no data set here; "
        faults.append(Fault("/dataset/name", text + nearest(asked.dataset.name, FACTS)))
    if asked.dataset.name == TABLE.name:
        faults.append(Fault("/dataset/name", "table has rows, and a preview is of images"))
    if faults:
        raise InvalidSpec(faults)
    return asked, augmentation
