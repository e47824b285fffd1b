"""Weights of a job or an upload: whether their file exists, and whether it fits the images."""

from pathlib import Path
from typing import Any

from api.http.faults import quoted
from api.jobs.admission import columns
from api.jobs.admission.draft import Context, Draft
from api.weights.checks import WEIGHT_TYPES, find_wrong_type, read_normalization
from api.weights.header import Header, read_header
from api.weights.queries import owner_of
from shared.errors import BadWeights, NotFound
from shared.ids import is_id
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.storage import WEIGHTS

AT = "/fine_tuning/weights"
HEAD = "head."


def check_file(draft: Draft) -> None:
    """Read the header of the weights' file and add its tensors to the sidecar's request."""
    weights = (draft.filled.get("fine_tuning") or {}).get("weights")
    if draft.network is None or not weights or weights["pretrained"] is not None:
        return
    field = "upload" if weights["job"] is None else "job"
    path = _of_upload(draft, weights) if field == "upload" else _of_job(draft, weights)
    if path is None:
        return
    try:
        header = read_header(path)
    except BadWeights as error:
        draft.fault(f"{AT}/{field}", error.detail)
        return
    columns.match(draft, header)
    if draft.network is None:
        return
    if draft.filled["dataset"]["normalization"] == "of_weights":
        _check_normalization(draft, header, f"{AT}/{field}")
    body = {name: info for name, info in header.tensors.items() if not name.startswith(HEAD)}
    wrong = find_wrong_type(body)
    if wrong is not None:
        text = f"has the tensor {quoted(wrong)} of type {body[wrong].dtype}; weights must be "
        draft.fault(f"{AT}/{field}", text + ", ".join(WEIGHT_TYPES))
    draft.network["tensors"] = {name: list(info.shape) for name, info in body.items()}


def _of_job(draft: Draft, weights: dict[str, Any]) -> Path | None:
    job_id, name = weights["job"], weights["checkpoint"]
    with draft.context.database.read() as connection:
        job = queries.get_job_in_part(connection, job_id) if is_id("job", job_id) else None
        rows = queries.list_checkpoints(connection, job_id) if job is not None else []
    if job is None or not draft.context.principal.may_read(job.owner):
        draft.fault(f"{AT}/job", f"{quoted(job_id)} is not a job")
        return None
    try:
        row = find_checkpoint(rows, name)
    except NotFound as error:
        draft.fault(f"{AT}/checkpoint", error.detail)
        return None
    try:
        return draft.context.storage.path(f"{row.directory}/{WEIGHTS}")
    except NotFound:
        draft.fault(f"{AT}/checkpoint", f"the file of {quoted(name)} no longer exists")
        return None


def _of_upload(draft: Draft, weights: dict[str, Any]) -> Path | None:
    weights_id = weights["upload"]
    path = draft.context.storage.weights(weights_id) if is_id("weights", weights_id) else None
    if path is None or not path.is_file() or not _may_read_upload(draft.context, weights_id):
        text = f"{quoted(weights_id)} is not an upload; POST /v1/weights makes one"
        draft.fault(f"{AT}/upload", text)
        return None
    return path


def _may_read_upload(context: Context, weights_id: str) -> bool:
    if context.principal.reads_all:
        return True
    with context.database.read() as connection:
        owner = owner_of(connection, weights_id)
    return owner is not None and context.principal.may_read(owner)


def _check_normalization(draft: Draft, header: Header, at: str) -> None:
    """Check that the file's normalization fits the inputs.

    Args:
        draft: the draft, whose normalization is that of the weights.
        header: of the file.
        at: the pointer of the field that names the file.
    """
    try:
        normalization = read_normalization(header)
    except ValueError as error:
        text = f"is of_weights, but the file's {error}; use standardize, unit or none"
        draft.fault("/dataset/normalization", text)
        return
    if normalization is None:
        text = "is of_weights, but the file has no normalization; use standardize, unit or none"
        draft.fault("/dataset/normalization", text)
        return
    dataset, expected = draft.filled["dataset"], normalization.channels
    features, channels = dataset.get("features"), dataset.get("channels")
    if features is not None and len(features) != expected:
        text = f"has {len(features)} columns; it must have {expected} for these weights"
        draft.fault("/dataset/features", text)
    elif features is None and channels != expected:
        if expected in (1, 3):
            draft.fault(
                "/dataset/channels", f"is {channels}; it must be {expected} for these weights"
            )
        else:
            text = f"has a normalization of {expected} channels, but the images have {channels}; "
            draft.fault(at, text + "use other weights")


def check_pretrained_name(draft: Draft) -> None:
    """Check that the weights belong to the architecture, and that the library has them."""
    name, architecture = pretrained_name(draft), draft.filled.get("architecture")
    if name is None or not architecture:
        return
    available = draft.methods.with_fact("architectures", "pretrained")
    at = "/fine_tuning/weights/pretrained"
    if name != architecture["name"]:
        text = f"{quoted(name)} is not the architecture, which is {architecture['name']}; "
        draft.fault(at, f"{text}both must be the same")
    elif name not in available:
        text = f"{quoted(name)} has no weights in the model library. Available: "
        draft.fault(at, text + ", ".join(available))


def check_pretrained_channels(draft: Draft) -> None:
    """Check that the images have as many channels as the weights expect."""
    name, architecture = pretrained_name(draft), draft.filled.get("architecture")
    channels = draft.filled.get("dataset", {}).get("channels")
    if name is None or channels is None or not architecture or name != architecture["name"]:
        return
    entry = draft.facts_of("architectures", architecture)
    if not entry.get("pretrained"):
        return
    expected = len(entry["normalization"]["mean"])
    if channels != expected:
        draft.fault("/dataset/channels", f"is {channels}; it must be {expected} for these weights")


def pretrained_name(draft: Draft) -> str | None:
    """Return the name of the library's weights, if the job starts from them."""
    if draft.spec is None or draft.spec.fine_tuning is None:
        return None
    weights = draft.spec.fine_tuning.weights
    return weights.pretrained if weights is not None else None
