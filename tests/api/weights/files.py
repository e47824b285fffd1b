"""Weights files, and what the service has stored of them."""

import json
import struct
from pathlib import Path

import httpx
import sqlalchemy as sa

from shared import tables
from tests.api.service import Service

ADDRESS = "/v1/weights"
HEADERS = {"Content-Type": "application/octet-stream"}


def weights_file(
    dtype: str, count: int, data: bytes, metadata: dict[str, str] | None = None
) -> bytes:
    """Return a file with a single tensor `a`."""
    header = {"a": {"dtype": dtype, "shape": [count], "data_offsets": [0, len(data)]}}
    text = json.dumps({**header, "__metadata__": metadata or {}}).encode()
    return struct.pack("<Q", len(text)) + text + data


FILE = weights_file("F32", 2, b"\0" * 8)


def upload(service: Service, content: bytes = FILE, **parameters: str) -> httpx.Response:
    """Upload a file."""
    return service.client.post(ADDRESS, content=content, headers=HEADERS, params=parameters)


def stored(service: Service) -> tuple[list[str], int]:
    """Return the names of the stored files, and the number of rows."""
    folder: Path = service.storage.weights("").parent
    names = sorted(path.name for path in folder.glob("*")) if folder.exists() else []
    with service.database.read() as connection:
        count = sa.select(sa.func.count()).select_from(tables.weights)
        return names, connection.execute(count).scalar_one()
