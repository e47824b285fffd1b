"""`preview`: a picture of a batch before and after augmentation."""

import base64
from typing import Any

from shared.settings import Settings
from worker.data.errors import DatasetMissing
from worker.sidecar.picture import picture
from worker.sidecar.request import Operation, RequestRefused, fault


def preview(request: dict[str, Any]) -> dict[str, Any]:
    """Return the picture as a PNG in base64.

    Args:
        request: as `worker.sidecar.picture.picture` takes it.

    Raises:
        RequestRefused: the data set is missing.
    """
    home = Settings().home
    try:
        png = picture(request, data_dir=home / "data", cache_dir=home / "cache")
    except DatasetMissing as error:
        raise RequestRefused(fault("/dataset/name", error)) from error
    return {"png": base64.b64encode(png).decode()}


#: A picture takes a hundred times as long as a network, so only one is made at a time.
PREVIEW = Operation(preview, processes=1, max_waiting=4, memory_mib=2048, is_kept=True)
