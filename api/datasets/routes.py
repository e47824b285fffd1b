"""`/v1/datasets`: the built-in data sets, and the uploads of people."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, WithJsonSchema

from api.catalog.hints import hint
from api.datasets.rendering import built_in_json, uploaded_json
from api.datasets.schemas import Dataset, UploadedDataset
from api.datasets.upload import store_upload
from api.deps import CallerDep, ServicesDep
from api.http.requests import Limit, media_type
from api.http.responses import json_response, list_page
from api.http.schemas import LOCATION, Deleted, Responses, list_of
from api.services.container import Services
from shared import uploaded_datasets
from shared.datasets import FACTS
from shared.errors import Conflict, NotFound, UnsupportedMediaType
from shared.ids import is_id
from shared.spec.fields import ColumnName
from shared.uploaded_datasets import NAME_PATTERN, REFERENCE, DatasetRow

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

MEDIA_TYPES = ("application/zip", "application/octet-stream")
#: Method and path of the upload, whose body has a separate limit.
UPLOAD = ("POST", "/v1/datasets", None)
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES
        },
    }
}
MAX_LISTED_JOBS = 5
LISTED: Responses = {200: {"model": list_of(Dataset, UploadedDataset)}}


def _check_new_name(value: str) -> str:
    match = REFERENCE.fullmatch(value)
    if match is None or match[2] is not None:
        raise ValueError(
            f"it is {value[:100]!r}; it must begin with a-z or 0-9 and have only a-z, 0-9, '.', "
            "'_' and '-', at most 63 characters"
        )
    if value in FACTS:
        raise ValueError(f"it is {value!r}, which is a built-in data set; use another name")
    return value


NewName = Annotated[
    str,
    AfterValidator(_check_new_name),
    Query(description="Not the name of a built-in data set"),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{NAME_PATTERN}$", "not": {"enum": sorted(FACTS)}}
    ),
]
Target = Annotated[
    ColumnName | None, Query(description="Of a table: the column to predict; default: the last")
]


@router.post(
    "",
    status_code=202,
    summary="Upload a data set",
    openapi_extra=FILE_BODY,
    responses={202: {"model": UploadedDataset, **LOCATION}},
)
async def upload_dataset(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    name: NewName,
    *,
    skip_bad: Annotated[bool, Query(description="Leave out files that cannot be read")] = False,
    target: Target = None,
) -> Any:
    """Store the body as a new version of a data set, which is checked afterwards.

    The file is a zip of class folders, an .npz, a parquet file in the Hugging Face hub's layout, or
    a table as CSV or parquet, of which `target` names the column to predict.
    """
    if media_type(request) not in MEDIA_TYPES:
        raise UnsupportedMediaType(
            f"The body must be the file itself, sent as {' or '.join(MEDIA_TYPES)}."
        )
    row = await store_upload(
        services, request, owner=caller.name, name=name, skip_bad=skip_bad, target=target
    )
    headers = {"Location": f"/v1/datasets/{row.reference}"}
    return json_response(uploaded_json(row), status=202, headers=headers)


@router.get("", summary="List the data sets", responses=LISTED)
def list_datasets(services: ServicesDep, limit: Limit = 20, after: str | None = None) -> Any:
    """Return the data sets by name, and the newest version of each upload.

    `after` is the `id` of the last entry of the page before.
    """
    home = services.settings.home
    with services.database.read() as connection:
        if after is not None and is_id("ds", after):
            row = uploaded_datasets.get(connection, after)
            after = None if row is None else row.name
        uploads = uploaded_datasets.newest(connection, limit=limit + 1, after=after)
    found = {name: built_in_json(name, home) for name in FACTS if after is None or name > after}
    found |= {row.name: uploaded_json(row) for row in uploads}
    names = sorted(found)
    page = [found[name] for name in names[:limit]]
    return json_response(list_page(page, has_more=len(names) > limit))


@router.get(
    "/{name}", summary="Get a data set", responses={200: {"model": Dataset | UploadedDataset}}
)
def get_dataset(services: ServicesDep, name: str) -> Any:
    """Return a built-in data set, or a version of an upload: the newest, or `name@version`."""
    if name in FACTS:
        return json_response(built_in_json(name, services.settings.home))
    return json_response(uploaded_json(_find(services, name)[0]))


@router.get(
    "/{name}/versions",
    summary="List the versions of an upload",
    responses={200: {"model": list_of(UploadedDataset)}},
)
def list_versions(services: ServicesDep, name: str) -> Any:
    """Return the versions, the newest first."""
    rows = _find(services, name)
    return json_response(list_page(map(uploaded_json, rows), has_more=False))


@router.delete("/{name}", summary="Delete an upload", responses={200: {"model": Deleted}})
async def delete_dataset(services: ServicesDep, name: str) -> Response:
    """Delete all versions of an upload, or `name@version`, and return the bytes freed.

    A job that has not ended and needs one of them is a 409.
    """
    freed_bytes = await run_in_threadpool(_delete, services, name)
    return json_response({"id": name, "object": "dataset", "freed_bytes": freed_bytes})


def _delete(services: Services, name: str) -> int:
    if name in FACTS:
        raise Conflict(f"{name} is a built-in data set, which cannot be deleted.")
    rows = _find(services, name)
    with services.database.write() as connection:
        jobs = uploaded_datasets.jobs_in_need(connection, rows)
        if jobs:
            listed = ", ".join(jobs[:MAX_LISTED_JOBS])
            more = f" and {len(jobs) - MAX_LISTED_JOBS} more" if len(jobs) > MAX_LISTED_JOBS else ""
            raise Conflict(f"These jobs need {name}: {listed}{more}. Wait for them or cancel them.")
        uploaded_datasets.delete(connection, rows)
    freed_bytes = 0
    for row in rows:
        for path in uploaded_datasets.files(services.settings.home, row):
            freed_bytes += path.stat().st_size if path.is_file() else 0
            path.unlink(missing_ok=True)
    return freed_bytes


def _find(services: Services, name: str) -> list[DatasetRow]:
    if name in FACTS:
        raise NotFound(f"{name} is a built-in data set, which has no versions.")
    with services.database.read() as connection:
        rows = uploaded_datasets.find(connection, name)
        if rows:
            return rows
        uploads = uploaded_datasets.newest(connection, limit=100, after=None)
    names = [*FACTS, *(row.name for row in uploads)]
    raise NotFound(f"There is no data set of this name. {hint(name, names)}.")
