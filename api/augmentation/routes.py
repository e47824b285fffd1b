"""`POST /v1/augmentation/preview`: a batch before and after augmentation, as a picture."""

from fastapi import APIRouter, Request, Response, Security

from api.augmentation import service
from api.augmentation.schemas import PREVIEW_BODY
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import json_body
from api.http.schemas import content

router = APIRouter(prefix="/v1/augmentation", tags=["augmentation"])


@router.post(
    "/preview",
    dependencies=[Security(right("jobs:write"))],
    summary="A batch before and after augmentation, as a PNG",
    openapi_extra=PREVIEW_BODY,
    responses={200: content("image/png")},
    response_class=Response,
)
async def preview_augmentation(
    request: Request, services: ServicesDep, principal: PrincipalDep
) -> Response:
    """Originals above, augmented images below: both should look real to a person."""
    body = await json_body(request)
    png = await services.sidecar.in_thread(service.preview, services, principal, body)
    return Response(png, media_type="image/png")
