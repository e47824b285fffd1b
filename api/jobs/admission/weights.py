"""The weights that a fine-tuning names: whether they are there, and what their files say."""

from pathlib import Path
from typing import Any

from api.catalog.methods import Faults, shown
from api.jobs.admission.fine_tuning import wrong_channels
from api.services import Services
from api.weights.header import Header, read_header
from api.weights.usable import WEIGHT_TYPES, normalization_of, not_of_weights
from shared.errors import BadWeights, Fault, NotFound
from shared.ids import is_id
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.storage import WEIGHTS

AT = "/fine_tuning/weights"
HEAD = "head."


def ask_of_weights(services: Services, spec: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """What the sidecar has to compare with the network: `{"tensors": {name: shape}}`, or nothing.

    Args:
        services: what the application works with.
        spec: filled in.
        faults: where faults are added: there are no such weights, or they cannot be used so.
    """
    named = (spec["fine_tuning"] or {}).get("weights")
    if not named or named["pretrained"] is not None:
        return {}
    field = "job" if named["job"] is not None else "upload"
    path = (
        _of_job(services, named["job"], named["checkpoint"] or "last", faults)
        if field == "job"
        else _of_upload(services, named["upload"], faults)
    )
    if path is None:
        return {}
    try:
        header = read_header(path)
    except BadWeights as error:
        faults.append(Fault(f"{AT}/{field}", error.detail))
        return {}
    if spec["dataset"]["normalization"] == "of_weights":
        _check_normalization(header, spec["dataset"], field, faults)
    body = {n: one for n, one in header.tensors.items() if not n.startswith(HEAD)}
    wrong = not_of_weights(body)
    if wrong is not None:
        text = f"has the tensor {wrong!r} of the type {body[wrong].dtype}; weights are of one of "
        faults.append(Fault(f"{AT}/{field}", text + ", ".join(WEIGHT_TYPES)))
    return {"tensors": {name: list(one.shape) for name, one in body.items()}}


def _check_normalization(
    header: Header, dataset: dict[str, Any], field: str, faults: Faults
) -> None:
    """Whether inputs can be normalised as the file says."""
    try:
        said = normalization_of(header)
    except ValueError as error:
        text = f"cannot be of_weights: the file's {error}; take standardize, unit or none"
        faults.append(Fault("/dataset/normalization", text))
        return
    if said is None:
        text = "is of_weights, and the file does not say it: take standardize, unit or none"
        faults.append(Fault("/dataset/normalization", text))
        return
    features, channels = dataset.get("features"), dataset.get("channels")
    if features is not None and len(features) != said.channels:
        text = f"are {len(features)} columns, and the weights expect {said.channels}"
        faults.append(Fault("/dataset/features", text))
    elif features is None and channels != said.channels:
        if said.channels in (1, 3):
            fault = Fault("/dataset/channels", wrong_channels(channels or 0, said.channels))
        else:
            text = f"has a normalization of {said.channels} channels, and the images have "
            fault = Fault(f"{AT}/{field}", f"{text}{channels}: take other weights")
        faults.append(fault)


def _of_job(services: Services, job_id: str, name: str, faults: Faults) -> Path | None:
    with services.database.read() as connection:
        job = queries.get(connection, job_id) if is_id("job", job_id) else None
        rows = queries.checkpoints(connection, job_id) if job is not None else []
    if job is None:
        faults.append(Fault(f"{AT}/job", "is no job here"))
        return None
    try:
        row = find_checkpoint(rows, name)
    except NotFound as error:
        faults.append(Fault(f"{AT}/checkpoint", error.detail))
        return None
    try:
        return services.storage.path(f"{row.directory}/{WEIGHTS}")
    except NotFound:
        text = f"the file of checkpoint {shown(name)} is not there any more"
        faults.append(Fault(f"{AT}/checkpoint", text))
        return None


def _of_upload(services: Services, weights_id: str, faults: Faults) -> Path | None:
    path = services.storage.weights(weights_id) if is_id("weights", weights_id) else None
    if path is None or not path.is_file():
        faults.append(Fault(f"{AT}/upload", "is no upload here; POST /v1/weights makes one"))
        return None
    return path
