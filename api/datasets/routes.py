"""`/v1/datasets`: the built-in data sets, and the uploads of people."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, WithJsonSchema

from api.datasets import cursors, lookup, samples
from api.datasets.directory import read_path
from api.datasets.rendering import built_in_json, uploaded_json
from api.datasets.schemas import Dataset
from api.datasets.upload import check_name_is_free, new_row, register_directory, store_upload
from api.deps import PrincipalDep, ServicesDep, right
from api.http.requests import DatasetId, Limit, media_type
from api.http.responses import json_response, list_page
from api.http.schemas import LOCATION, Deleted, Responses, content, list_of
from shared import uploaded_datasets
from shared.datasets import FACTS
from shared.errors import UnsupportedMediaType
from shared.spec.fields import MAX_COUNT, ColumnName
from shared.uploaded_datasets import NAME_PATTERN, REFERENCE

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

JSON = "application/json"
MEDIA_TYPES = ("application/zip", "application/octet-stream")
#: Method and path of the upload, whose body has a separate limit.
UPLOAD = ("POST", "/v1/datasets", None)
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["path"],
                    "properties": {
                        "path": {
                            "type": "string",
                            "pattern": "^/",
                            "maxLength": 4096,
                            "description": "A directory of the box, below TRAINSHED_DATA_ROOTS",
                        }
                    },
                    "additionalProperties": False,
                },
                "example": {"path": "/data/birds"},
            },
        },
    }
}
LISTED: Responses = {200: {"model": list_of(Dataset)}}


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
PerClass = Annotated[int, Query(ge=1, le=16, description="Images of each class")]
Classes = Annotated[int, Query(ge=1, le=40, description="How many classes to show")]
FirstClass = Annotated[int, Query(ge=0, le=MAX_COUNT, description="Classes to leave out before")]


@router.post(
    "",
    dependencies=[Security(right("datasets:write"))],
    status_code=202,
    summary="Upload a data set",
    openapi_extra=FILE_BODY,
    responses={202: {"model": Dataset, **LOCATION}},
)
async def upload_dataset(
    request: Request,
    services: ServicesDep,
    principal: PrincipalDep,
    name: NewName,
    *,
    skip_bad: Annotated[bool, Query(description="Leave out files that cannot be read")] = False,
    target: Target = None,
) -> Any:
    """Store the body as a new version of a data set, which is checked afterwards.

    The file is a zip of class folders, an .npz, a parquet file in the Hugging Face hub's layout, or
    a table as CSV or parquet, of which `target` names the column to predict. A JSON body registers
    a directory of the box, of class folders and below TRAINSHED_DATA_ROOTS, without a copy.
    """
    await run_in_threadpool(check_name_is_free, services, principal, name)
    row = new_row(owner=principal.name, name=name, skip_bad=skip_bad, target=target)
    kind = media_type(request)
    if kind == JSON:
        principal.require("datasets:register")
        path = await read_path(request, services.settings)
        row = await register_directory(services, principal, path, row)
    elif kind in MEDIA_TYPES:
        row = await store_upload(services, principal, request, row)
    else:
        raise UnsupportedMediaType(
            f"The body must be the file itself, sent as {' or '.join(MEDIA_TYPES)}, or a directory "
            f"of the box as {JSON}."
        )
    headers = {"Location": f"/v1/datasets/{row.reference}"}
    return json_response(uploaded_json(row), status=202, headers=headers)


@router.get(
    "",
    dependencies=[Security(right("datasets:read"))],
    summary="List the data sets",
    responses=LISTED,
)
def list_datasets(
    services: ServicesDep, principal: PrincipalDep, limit: Limit = 20, after: str | None = None
) -> Any:
    """Return the data sets by name, and the newest version of each upload.

    `after` is the `id` of the last entry of the page before.
    """
    home, only_owner = services.settings.home, principal.only_owner
    with services.database.read() as connection:
        if after is not None and after not in FACTS:
            after = cursors.position(connection, after, only_owner=only_owner)[0]
        uploads = uploaded_datasets.newest(
            connection, only_owner=only_owner, limit=limit + 1, after=after
        )
    found = {name: built_in_json(name, home) for name in FACTS if after is None or name > after}
    found |= {row.name: uploaded_json(row) for row in uploads}
    names = sorted(found)
    page = [found[name] for name in names[:limit]]
    return json_response(list_page(page, has_more=len(names) > limit))


@router.get(
    "/{name}",
    dependencies=[Security(right("datasets:read"))],
    summary="Get a data set",
    responses={200: {"model": Dataset}},
)
def get_dataset(services: ServicesDep, principal: PrincipalDep, name: str) -> Any:
    """Return a built-in data set, or a version of an upload: the newest, or `name@version`."""
    if name in FACTS:
        return json_response(built_in_json(name, services.settings.home))
    return json_response(uploaded_json(lookup.find(services, principal, name)[0]))


@router.get(
    "/{name}/versions",
    dependencies=[Security(right("datasets:read"))],
    summary="List the versions of an upload",
    responses={200: {"model": list_of(Dataset)}},
)
def list_versions(
    services: ServicesDep,
    principal: PrincipalDep,
    name: str,
    limit: Limit = 20,
    after: DatasetId | None = None,
) -> Any:
    """Return the versions, the newest first. `after` is the `id` of the last of the page before."""
    lookup.find(services, principal, name)
    name, only_owner = name.partition("@")[0], principal.only_owner
    with services.database.read() as connection:
        before = None
        if after is not None:
            before = cursors.position(connection, after, only_owner=only_owner, of=name)[1]
        rows = uploaded_datasets.versions(
            connection, name, only_owner=only_owner, limit=limit + 1, before=before
        )
    page = map(uploaded_json, rows[:limit])
    return json_response(list_page(page, has_more=len(rows) > limit))


@router.get(
    "/{name}/samples",
    dependencies=[Security(right("datasets:read"))],
    summary="Some images of each class, as a PNG",
    responses={200: content("image/png")},
    response_class=Response,
)
async def get_samples(
    services: ServicesDep,
    principal: PrincipalDep,
    name: str,
    *,
    per_class: PerClass = 8,
    classes: Classes = 20,
    first_class: FirstClass = 0,
) -> Response:
    """A row of images for each class, in the order of the classes; of an upload the newest version.

    A data set that is not ready, not on this box, or a table, is a 409.
    """
    request = {"per_class": per_class, "classes": classes, "first_class": first_class}
    png = await services.sidecar.in_thread(samples.read, services, principal, name, request)
    return Response(png, media_type="image/png")


@router.delete(
    "/{name}",
    dependencies=[Security(right("datasets:write"))],
    summary="Delete an upload",
    responses={200: {"model": Deleted}},
)
async def delete_dataset(services: ServicesDep, principal: PrincipalDep, name: str) -> Response:
    """Delete all versions of an upload, or `name@version`, and return the bytes freed.

    A job that has not ended and needs one of them is a 409.
    """
    freed_bytes = await run_in_threadpool(lookup.delete, services, principal, name)
    return json_response({"id": name, "object": "dataset", "freed_bytes": freed_bytes})
