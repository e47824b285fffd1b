"""The weights that a fine-tuning names: whether they are there, and the shapes of their tensors."""

from pathlib import Path
from typing import Any

from api.services import Services
from api.weights.header import Header, read_header
from shared.errors import BadWeights, Fault, InvalidSpec, NotFound
from shared.ids import is_id
from shared.jobs import checkpoints, reading
from shared.storage import WEIGHTS

AT = "/fine_tuning/weights"
HEAD = "head."


def ask_of_weights(services: Services, spec: dict[str, Any]) -> dict[str, Any]:
    """What the desk has to compare with the network: `{"tensors": {name: shape}}`, or nothing.

    Args:
        services: what the application works with.
        spec: filled in.

    Raises:
        InvalidSpec: there are no such weights, or they cannot be used like this.
    """
    named = (spec["fine_tuning"] or {}).get("weights")
    if not named or named["pretrained"] is not None:
        return {}
    if named["job"] is not None:
        header = _header(_of_job(services, named["job"], named["checkpoint"] or "last"), "job")
    else:
        header = _header(_of_upload(services, named["upload"]), "upload")
    if spec["dataset"]["normalization"] == "of_weights" and "normalization" not in header.metadata:
        text = "is of_weights, and the file does not say it: take standardize, unit or none"
        raise InvalidSpec([Fault("/dataset/normalization", text)])
    shapes = {name: list(one.shape) for name, one in header.tensors.items()}
    return {"tensors": {n: shape for n, shape in shapes.items() if not n.startswith(HEAD)}}


def _of_job(services: Services, job_id: str, name: str) -> Path:
    with services.database.read() as connection:
        job = reading.get(connection, job_id) if is_id("job", job_id) else None
        rows = reading.checkpoints(connection, job_id) if job is not None else []
    if job is None:
        raise InvalidSpec([Fault(f"{AT}/job", "is no job here")])
    row = checkpoints.find(rows, name)
    if row is None:
        text = f"the job has no checkpoint {name!r}; there are {checkpoints.names(rows)}"
        raise InvalidSpec([Fault(f"{AT}/checkpoint", text)])
    try:
        return services.storage.path(f"{row['directory']}/{WEIGHTS}")
    except NotFound as error:
        text = f"the file of checkpoint {name!r} is not there any more"
        raise InvalidSpec([Fault(f"{AT}/checkpoint", text)]) from error


def _of_upload(services: Services, weights_id: str) -> Path:
    path = services.storage.weights(weights_id) if is_id("weights", weights_id) else None
    if path is None or not path.is_file():
        raise InvalidSpec([Fault(f"{AT}/upload", "is no upload here; POST /v1/weights makes one")])
    return path


def _header(path: Path, field: str) -> Header:
    try:
        return read_header(path)
    except BadWeights as error:
        raise InvalidSpec([Fault(f"{AT}/{field}", error.detail)]) from error
