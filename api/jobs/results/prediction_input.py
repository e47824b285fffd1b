"""The body of a request for predictions: pictures as multipart files, or rows as JSON."""

import base64
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from api.http.faults import Faults, abbreviated, available, quoted
from api.http.json_pointer import pointer
from api.http.requests import media_type
from api.http.strict_json import parse
from shared.errors import Fault, InvalidSpec, UnsupportedMediaType

MAX_PICTURES = 64
MAX_BODY_BYTES = 32_000_000
MAX_NAME_LENGTH = 200
#: Method, path and limit of the body.
UPLOAD = ("POST", r"/v1/jobs/[^/]+/predictions", MAX_BODY_BYTES)
MULTIPART, JSON = "multipart/form-data", "application/json"
ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["rows"],
    "properties": {
        "rows": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": {"type": "number"}},
            "minItems": 1,
            "description": "Each row has a value for every feature of the table",
        }
    },
    "additionalProperties": False,
}
DATASET: dict[str, Any] = {
    "type": "object",
    "required": ["dataset"],
    "properties": {
        "dataset": {"type": "string", "description": "A data set: `name` or `name@version`"},
        "split": {
            "enum": ["train", "validation", "test", "all"],
            "description": "By default `test` of the job's own data set, `all` of another",
        },
    },
    "additionalProperties": False,
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "maxItems": MAX_PICTURES,
                            "description": "PNG, JPEG, WebP, GIF, BMP or TIFF",
                        }
                    },
                    "additionalProperties": False,
                }
            },
            JSON: {
                "schema": {
                    "anyOf": [ROWS, DATASET],
                },
                "example": {"rows": [{"length": 5.1, "width": 3.5}]},
            },
        },
    }
}


async def read_input(request: Request, *, is_table: bool) -> dict[str, Any]:
    """Return `pictures` or `rows` as the sidecar takes them, or the body that has `dataset`.

    Args:
        request: The request.
        is_table: Whether the job was trained on a table, whose samples are rows.

    Raises:
        UnsupportedMediaType: The body is declared as something else than the job needs.
        BadRequest: It is not JSON.
        InvalidSpec: With every fault of its content.
    """
    declared = media_type(request)
    body = parse(await request.body()) if declared == JSON else None
    if isinstance(body, dict) and "dataset" in body:
        return body
    if is_table:
        if declared != JSON:
            raise UnsupportedMediaType(
                'The job was trained on a table: send {"rows": [{column: value}]}, or {"dataset": '
                "name} for its own table, as application/json."
            )
        return {"rows": _rows(body)}
    if declared != MULTIPART:
        raise UnsupportedMediaType(
            "The job was trained on images: send pictures as multipart/form-data, each as a part "
            'named `files`, or {"dataset": name} as application/json.'
        )
    return {"pictures": await _pictures(request)}


async def _pictures(request: Request) -> list[dict[str, str]]:
    async with request.form(max_files=MAX_PICTURES + 1, max_fields=8) as form:
        parts = form.multi_items()
        faults = Faults()
        for name, part in parts:
            if name != "files" or not isinstance(part, UploadFile):
                faults.add(f"/{name[:MAX_NAME_LENGTH]}", "is not known; name each file `files`")
        faults.raise_if_any(subject="request")
        if not 1 <= len(parts) <= MAX_PICTURES:
            text = f"has {len(parts)} pictures; 1 to {MAX_PICTURES} are allowed"
            raise _invalid(Fault("/files", text))
        pictures: list[dict[str, str]] = []
        for number, (_, part) in enumerate(parts, start=1):
            assert isinstance(part, UploadFile)
            content = base64.b64encode(await part.read()).decode()
            name = (part.filename or f"picture {number}")[-MAX_NAME_LENGTH:]
            pictures.append({"name": name, "content": content})
        return pictures


def _rows(body: Any) -> list[dict[str, float]]:
    """Return the rows; every value must be a number."""
    if not isinstance(body, dict):
        raise _invalid(Fault("", f"is {abbreviated(body)}; it must be an object with `rows`"))
    faults = [
        Fault(pointer(name), f"{quoted(name)} is not a field. {available(['dataset', 'rows'])}")
        for name in body
        if name != "rows"
    ]
    if "rows" not in body:
        faults.append(Fault("/rows", "is required: a list of objects {column: value}"))
    rows = body.get("rows", [{}])
    if not isinstance(rows, list) or not rows:
        text = f"is {abbreviated(rows)}; it must be a list of one or more rows"
        faults.append(Fault("/rows", text))
        rows = []
    for number, row in enumerate(rows):
        faults.extend(_row_faults(row, f"/rows/{number}"))
    if faults:
        raise _invalid(*faults)
    return rows


def _row_faults(row: Any, at: str) -> list[Fault]:
    if not isinstance(row, dict):
        return [Fault(at, f"is {abbreviated(row)}; it must be an object")]
    return [
        Fault(at + pointer(column), f"is {abbreviated(value)}; it must be a number")
        for column, value in row.items()
        if type(value) not in (int, float)
    ]


def _invalid(*faults: Fault) -> InvalidSpec:
    return InvalidSpec(list(faults), subject="request")
