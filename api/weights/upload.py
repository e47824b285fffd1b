"""Stores an upload: written to a temporary file, checked there, then moved to its final place.

If anything fails on the way, no file and no row remain.
"""

from functools import partial
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.http.received_file import UNFINISHED, receive, temporary_file
from api.services.container import Services
from api.services.principal import Principal
from api.weights import queries
from api.weights.checks import check_weights
from api.weights.header import read_header
from shared.clock import now
from shared.ids import new_id
from shared.jobs.rows import UploadRow
from shared.storage import publish


async def store_upload(
    services: Services, request: Request, principal: Principal, *, name: str
) -> UploadRow:
    """Store the body of a request.

    Raises:
        TooLarge: It exceeds TRAINSHED_LIMIT_UPLOAD_MIB.
        BadWeights: It is not a complete safetensors file, or no job could start from it.
        StorageLimit: The caller stores too much.
        Unavailable: The disk is full.
    """
    check = partial(services.limits.check_upload, services.database, principal)
    weights_id = new_id("weights")
    final = services.storage.weights(weights_id)
    with temporary_file(final.with_suffix(UNFINISHED)) as temporary:
        max_mib = services.settings.limit_upload_mib
        size, sha256 = await receive(request, temporary, max_mib=max_mib, check=check)
        return await run_in_threadpool(
            _publish, services, principal, temporary, final, name=name, size=size, sha256=sha256
        )


def _publish(
    services: Services,
    principal: Principal,
    temporary: Path,
    final: Path,
    *,
    name: str,
    size: int,
    sha256: str,
) -> UploadRow:
    header = read_header(temporary)
    check_weights(temporary, header)
    upload = UploadRow(
        id=final.stem,
        owner=principal.name,
        name=name,
        bytes=size,
        sha256=sha256,
        tensors=len(header.tensors),
        parameters=header.parameters,
        created_at=now(),
    )
    publish(temporary, final)
    try:
        with services.change(principal, "weights.upload", upload.id) as connection:
            services.limits.check_storage(connection, principal, new_bytes=size)
            queries.add(connection, upload)
    except BaseException:
        final.unlink(missing_ok=True)
        raise
    return upload
