"""The weights that fine-tuning starts from: of a job, of the model library, or uploaded."""

from pathlib import Path

import sqlalchemy as sa
from safetensors import safe_open

from shared import normalization, tables
from shared.database import Database
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.spec import JobSpec
from shared.storage import WEIGHTS, Storage, sha256_of_file
from worker.registry import SpecError
from worker.runner.pretrained import load_pretrained
from worker.runner.retry import read_with_retry
from worker.training.checkpoint import CheckpointCorrupt, load_weights
from worker.training.device_split import Normalization
from worker.training.transfer import Weights


def load_initial_weights(spec: JobSpec, database: Database, storage: Storage) -> Weights | None:
    """Return the weights that a specification names, or None where it names none.

    Raises:
        SpecError: the weights do not exist, cannot be read, or belong to another network.
    """
    source = spec.fine_tuning.weights if spec.fine_tuning is not None else None
    if source is None:
        return None
    if source.pretrained is not None:
        return load_pretrained(source.pretrained)
    if source.job is not None:
        return _load_checkpoint(source.job, source.checkpoint or "last", database, storage)
    return _load_upload(source.upload or "", database, storage)


def _load_checkpoint(job_id: str, name: str, database: Database, storage: Storage) -> Weights:
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, job_id))
    try:
        row = find_checkpoint(rows, name)
    except NotFound as error:
        raise SpecError(f"The weights of job {job_id} do not exist. {error}") from error
    try:
        directory = storage.root / row.directory
        tensors = load_weights(directory)
    except CheckpointCorrupt as error:
        raise SpecError(
            f"The checkpoint {name!r} of job {job_id} is damaged. {error} Use another checkpoint."
        ) from error
    return Weights(tensors, _normalization(directory / WEIGHTS))


def _load_upload(upload: str, database: Database, storage: Storage) -> Weights:
    uploads, path = tables.weights.c, storage.weights(upload)
    query = sa.select(uploads.sha256).where(uploads.id == upload)
    sha256 = read_with_retry(database, lambda c: c.execute(query).scalar_one_or_none())
    try:
        if sha256_of_file(path) != sha256:
            raise SpecError(
                f"The upload {upload} is damaged: its sha256 is not that of the uploaded file. "
                "Upload the file again."
            )
        return load_file(path)
    except OSError as error:
        raise SpecError(f"The upload {upload} no longer exists.") from error


def load_file(path: Path) -> Weights:
    """Return the weights of a safetensors file.

    Raises:
        OSError: the file cannot be opened.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Weights(tensors, _normalization(path))


def _normalization(path: Path) -> Normalization | None:
    """Return the normalization in the file's metadata; None where it is missing or invalid."""
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(normalization.METADATA_KEY)
    try:
        values = None if text is None else normalization.parse(text)
    except ValueError:
        return None  # only `of_weights` needs it, and admission refuses that
    return values and Normalization(values.mean, values.deviation, values.largest)
