"""`/v1/weights`: safetensors files to fine-tune from."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.deps import CallerDep, ServicesDep
from api.http.requests import check_cursor
from api.http.responses import json_answer, list_of
from api.http.schemas import LOCATION, Freed, ListOf
from api.services import Services
from api.weights import rows
from api.weights.receiving import receive
from api.weights.schemas import Weights
from shared.clock import rfc3339
from shared.errors import BadRequest, NotFound, UnsupportedMediaType
from shared.ids import is_id
from shared.jobs.rows import UploadRow

router = APIRouter(prefix="/v1/weights", tags=["weights"])

MEDIA_TYPE = "application/octet-stream"
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    status_code=201,
    summary="Upload a safetensors file",
    openapi_extra=BODY,
    responses={201: {"model": Weights, **LOCATION}},
)
async def create(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    name: Annotated[str, Query(max_length=200)] = "",
) -> Any:
    """The body is the file itself. It is checked, and never unpickled."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise UnsupportedMediaType(f"The body has to be {MEDIA_TYPE}: the file itself.")
    if not name.isprintable():
        raise BadRequest("The name has a character that is not printable.")
    upload = await receive(services, request, owner=caller.name, name=name)
    headers = {"Location": f"/v1/weights/{upload.id}"}
    return json_answer(_shown(upload), status=201, headers=headers)


@router.get("", summary="The uploads, newest first", responses={200: {"model": ListOf[Weights]}})
def index(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Any:
    """`after` is the id of the last one of the page before."""
    check_cursor(after, "weights")
    with services.database.read() as connection:
        found = rows.page(connection, limit=limit + 1, after=after)
    return json_answer(list_of(map(_shown, found[:limit]), has_more=len(found) > limit))


@router.get("/{weights_id}", summary="One upload", responses={200: {"model": Weights}})
def show(services: ServicesDep, weights_id: str) -> Any:
    """What is known of it."""
    return json_answer(_shown(_get(services, weights_id)))


@router.delete("/{weights_id}", summary="Delete an upload", responses={200: {"model": Freed}})
async def delete(services: ServicesDep, weights_id: str) -> Response:
    """Answers the bytes freed. Jobs that have begun with it are not touched."""
    freed = await run_in_threadpool(_delete, services, weights_id)
    return json_answer({"id": weights_id, "object": "weights", "freed_bytes": freed})


def _delete(services: Services, weights_id: str) -> int:
    row = _get(services, weights_id)
    with services.database.write() as connection:
        rows.remove(connection, weights_id)
    services.storage.weights(weights_id).unlink(missing_ok=True)
    return row.bytes


def _get(services: Services, weights_id: str) -> UploadRow:
    row = None
    if is_id("weights", weights_id):
        with services.database.read() as connection:
            row = rows.get(connection, weights_id)
    if row is None:
        raise NotFound("There are no such weights.")
    return row


def _shown(row: UploadRow) -> dict[str, Any]:
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
