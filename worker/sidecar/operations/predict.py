"""`predict`: what a trained network says of pictures or of rows of a table."""

import base64
import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from shared.columns import is_table
from shared.errors import NotFound
from shared.settings import Settings
from shared.sidecar import LONG_TIMEOUT_SECONDS
from shared.storage import Storage, sha256_of_stored_file
from worker.sidecar.predictor import Predictor, load_predictor
from worker.sidecar.request import Fault, Operation, RequestRefused, Subject, fault

DAMAGED = "The file of the checkpoint is missing or damaged. Use another checkpoint."
#: Columns that a message lists.
MAX_LISTED = 20


def predict(request: dict[str, Any]) -> dict[str, Any]:
    """Return `predictions`: for each sample `top_k` or `value`, in the order of the request.

    Args:
        request: weights (the file's path in the storage), sha256, dataset (that part of the filled
            specification), top_k (how many classes), and pictures ([{name, content in base64}])
            or rows ([{column: number}]).

    Raises:
        RequestRefused: with every picture or value that cannot be used.
    """
    predictor = read_predictor(request["weights"], request["sha256"])
    if is_table(request["dataset"]):
        inputs_NCHW, names = _rows(request["rows"], predictor), None
    else:
        resize = request["dataset"].get("resize") or "crop"
        inputs_NCHW = _pictures(request["pictures"], predictor.image_shape, resize)
        names = [picture["name"] for picture in request["pictures"]]
    outputs_NM = predictor.outputs(inputs_NCHW)
    if predictor.class_names:
        k = min(request["top_k"], len(predictor.class_names))
        answers = [{"top_k": classes} for classes in predictor.top_k(outputs_NM, k)]
    else:
        values = outputs_NM[:, 0].tolist()
        answers = [{"value": value if math.isfinite(value) else None} for value in values]
    names = names or [f"row {number}" for number in range(1, len(answers) + 1)]
    return {"predictions": [{"name": n, **a} for n, a in zip(names, answers, strict=True)]}


@lru_cache(maxsize=1)
def read_predictor(weights: str, sha256: str) -> Predictor:
    """Return the network, which stays in memory for the next request."""
    try:
        path = Storage(Settings().storage).path(weights)
        if sha256_of_stored_file(path) != sha256:
            raise RequestRefused(fault("", DAMAGED))
        return load_predictor(path)
    except (NotFound, SafetensorError, OSError) as error:
        raise RequestRefused(fault("", DAMAGED)) from error


def _pictures(
    pictures: list[dict[str, str]], image_shape: tuple[int, int, int], resize: str
) -> torch.Tensor:
    """Return pictures as a job trains on them, uint8 [N, C, H, W]."""
    # Kept out of the start: Pillow's formats take a tenth of a second to import.
    from worker.data.uploads import BadFile, prepare  # noqa: PLC0415

    channels, size, _ = image_shape
    images, faults = list[np.ndarray](), list[Fault]()
    for number, picture in enumerate(pictures):
        content = base64.b64decode(picture["content"])
        try:
            image = prepare(content, image_size=size, channels=channels, resize=resize)
            images.append(image)
        except BadFile as error:
            faults.append(fault(f"/files/{number}", f"{picture['name']} {error}"))
    if faults:
        raise RequestRefused(*faults)
    return torch.from_numpy(np.stack(images))


def _rows(rows: list[dict[str, Any]], predictor: Predictor) -> torch.Tensor:
    """Return rows of a table as float64 [N, F, 1, 1]."""
    features = predictor.features
    missing = [
        fault(f"/rows/{number}", f"has no value for the column `{name}`")
        for number, row in enumerate(rows)
        for name in features
        if name not in row
    ]
    if missing:
        listed = ", ".join(f"`{name}`" for name in features[:MAX_LISTED])
        more = f" and {len(features) - MAX_LISTED:,} more" if len(features) > MAX_LISTED else ""
        missing[0]["detail"] += f". The columns are {listed}{more}"
        raise RequestRefused(*missing[:MAX_LISTED])
    values = [[float(row[name]) for name in features] for row in rows]
    columns_NF11 = torch.tensor(values, dtype=torch.float64)[:, :, None, None]
    # The network computes in float32, where a larger value is infinite and every output is NaN.
    is_large_NF = predictor.normalization.applied(columns_NF11).isinf()[:, :, 0, 0]
    large = [
        fault(
            f"/rows/{number}/{features[column].replace('~', '~0').replace('/', '~1')}",
            f"is {values[number][column]:g}, which is too large for the network: normalized as in "
            "training, it is infinite in float32",
        )
        for number, column in is_large_NF.nonzero().tolist()
    ]
    if large:
        raise RequestRefused(*large[:MAX_LISTED])
    return columns_NF11


PREDICT = Operation(
    predict,
    processes=1,
    max_waiting=3,
    cpu_seconds=2 * int(LONG_TIMEOUT_SECONDS),
    memory_mib=6144,
    is_kept=True,
    response_seconds=LONG_TIMEOUT_SECONDS - 1,
    subject=Subject("", "predict", "Send fewer or smaller pictures."),
)
