"""`/v1/weights`: safetensors files to fine-tune from."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool

from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import Limit, Text, WeightsId, check_cursor, media_type
from api.http.responses import json_response, list_page
from api.http.schemas import LOCATION, Deleted, list_of
from api.services.container import Services
from api.services.principal import Principal
from api.weights import queries
from api.weights.schemas import Weights
from api.weights.upload import store_upload
from shared.clock import rfc3339
from shared.errors import Forbidden, NotFound, UnsupportedMediaType
from shared.ids import is_id
from shared.jobs.rows import UploadRow

router = APIRouter(prefix="/v1/weights", tags=["weights"])

MEDIA_TYPE = "application/octet-stream"
#: Method and path of the upload, whose body has a separate limit.
UPLOAD = ("POST", "/v1/weights", None)
UNKNOWN = "There are no such weights; GET /v1/weights lists the uploads."
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    dependencies=[Security(right("weights:write"))],
    status_code=201,
    summary="Upload a safetensors file",
    openapi_extra=BODY,
    responses={201: {"model": Weights, **LOCATION}},
)
async def upload_weights(
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    name: Annotated[Text, Query(max_length=200)] = "",
) -> Any:
    """Store the body, which is the file itself. The file is checked and never unpickled."""
    if media_type(request) != MEDIA_TYPE:
        raise UnsupportedMediaType(f"The body must be the file itself, sent as {MEDIA_TYPE}.")
    upload = await store_upload(services, request, principal, name=name)
    headers = {"Location": f"/v1/weights/{upload.id}"}
    return json_response(_weights_json(upload), status=201, headers=headers)


@router.get(
    "",
    dependencies=[Security(right("weights:read"))],
    summary="List the uploads",
    responses={200: {"model": list_of(Weights)}},
)
def list_weights(
    services: ServicesDep,
    principal: PrincipalDep,
    limit: Limit = 20,
    after: WeightsId | None = None,
) -> Any:
    """Return the uploads, newest first. `after` is the id of the last upload of the page before."""
    check_cursor(after, "weights")
    with services.database.read() as connection:
        rows, has_more = queries.page(
            connection, limit=limit, after=after, only_owner=principal.only_owner
        )
    return json_response(list_page(map(_weights_json, rows), has_more=has_more))


@router.get(
    "/{weights_id}",
    dependencies=[Security(right("weights:read"))],
    summary="Get an upload",
    responses={200: {"model": Weights}},
)
def get_weights(services: ServicesDep, principal: PrincipalDep, weights_id: WeightsId) -> Any:
    """Return the facts of an upload."""
    return json_response(_weights_json(_find(services, principal, weights_id)))


@router.delete(
    "/{weights_id}",
    dependencies=[Security(right("weights:write"))],
    summary="Delete an upload",
    responses={200: {"model": Deleted}},
)
async def delete_weights(
    services: ServicesDep, principal: PrincipalDep, weights_id: WeightsId
) -> Response:
    """Delete an upload and return the bytes freed. Jobs that started from it are not affected."""
    freed_bytes = await run_in_threadpool(_delete, services, principal, weights_id)
    return json_response({"id": weights_id, "object": "weights", "freed_bytes": freed_bytes})


def _delete(services: Services, principal: Principal, weights_id: str) -> int:
    with services.change(principal, "weights.delete", weights_id) as connection:
        owner = queries.owner_of(connection, weights_id) if is_id("weights", weights_id) else None
        if owner is None or not principal.may_read(owner):
            raise NotFound(UNKNOWN)
        if not principal.may_change(owner):
            raise Forbidden(
                "The weights belong to somebody else; only their owner can delete them."
            )
        queries.delete(connection, weights_id)
    path = services.storage.weights(weights_id)
    freed_bytes = path.stat().st_size if path.is_file() else 0
    path.unlink(missing_ok=True)
    return freed_bytes


def _find(services: Services, principal: Principal, weights_id: str) -> UploadRow:
    row = None
    if is_id("weights", weights_id):
        with services.database.read() as connection:
            row = queries.get(connection, weights_id)
    if row is None or not principal.may_read(row.owner):
        raise NotFound(UNKNOWN)
    return row


def _weights_json(row: UploadRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "object": "weights",
        "name": row.name,
        "owner": row.owner,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "tensors": row.tensors,
        "parameters": row.parameters,
        "created_at": rfc3339(row.created_at),
    }
