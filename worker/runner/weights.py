"""The weights that fine-tuning starts from: of a job, of the model library, or uploaded."""

from pathlib import Path

from safetensors import safe_open

from shared import normalization
from shared.database import Database
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.spec import JobSpec
from shared.storage import WEIGHTS, Storage
from worker.runner import pretrained
from worker.runner.writer import read_with_retry
from worker.training.checkpoint import CheckpointCorrupt, load_weights
from worker.training.device_split import Normalization
from worker.training.transfer import Weights


def fetch(spec: JobSpec, database: Database, storage: Storage) -> Weights | None:
    """The weights that a specification names, or None where it names none.

    Raises:
        ValueError: they are not there, cannot be read, or are of another network.
    """
    named = spec.fine_tuning.weights if spec.fine_tuning is not None else None
    if named is None:
        return None
    if named.pretrained is not None:
        return pretrained.load(named.pretrained)
    if named.job is not None:
        return _of_job(named.job, named.checkpoint or "last", database, storage)
    try:
        return _of_file(storage.weights(named.upload or ""))
    except (NotFound, OSError) as error:
        raise ValueError(f"the upload {named.upload} is not there any more") from error


def _of_job(job_id: str, name: str, database: Database, storage: Storage) -> Weights:
    rows = read_with_retry(database, lambda c: queries.list_checkpoints(c, job_id))
    try:
        row = find_checkpoint(rows, name)
    except NotFound as error:
        raise ValueError(f"weights of job {job_id}: {error}") from error
    try:
        directory = storage.path(row.directory)
        tensors = load_weights(directory)
    except (NotFound, CheckpointCorrupt) as error:
        raise ValueError(f"checkpoint {name!r} of job {job_id} cannot be read: {error}") from error
    return Weights(tensors, _normalization(directory / WEIGHTS))


def _of_file(path: Path) -> Weights:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Weights(tensors, _normalization(path))


def _normalization(path: Path) -> Normalization | None:
    """What the head of a file says of it, as our own checkpoints do; None where it is absurd."""
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(normalization.METADATA_KEY)
    try:
        said = None if text is None else normalization.parse(text)
    except ValueError:
        return None  # only `of_weights` needs it, and is refused at submission
    return said and Normalization(said.mean, said.deviation, said.largest)
