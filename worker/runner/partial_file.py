"""The partial results of an analysis as a file: what its next attempt continues from.

<analysis>/<attempt>/partial-<sha256>.safetensors. The name appears when the content is complete,
and has the digest of it. Each attempt writes into its own directory, after a check of the fence, so
an attempt that lost its job cannot replace the file of a later attempt.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
import structlog
from safetensors import SafetensorError, safe_open
from torch import Tensor

from shared.database import Database
from shared.errors import Unavailable
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.storage import PARTIAL, Storage, publish, sha256_of_file
from worker.analyses.partial_results import PartialResults
from worker.runner.retry import exit_fenced
from worker.training.tensor_files import save_tensors

log = structlog.get_logger()

SUFFIX = ".safetensors"
#: From one file to the next, at least; longer where writing would take over a twentieth of the
#: time.
MIN_SECONDS = 5.0
WRITING_FACTOR = 20
#: Of the names and the meaning of parts: files of another version are not used.
FORMAT = "1"


class PartialFile:
    """Reads the file of an earlier attempt, and writes that of this attempt.

    Args:
        database: where the fence is checked.
        storage: where the files are.
        lease: of the attempt.
        fingerprint: of the machine. Parts from another machine differ in their last bits, so the
            analysis then starts from the beginning.
    """

    def __init__(
        self, database: Database, storage: Storage, lease: Lease, fingerprint: dict[str, str]
    ) -> None:
        self._database = database
        self._storage = storage
        self._lease = lease
        directory = storage.attempt(lease.job_id, lease.attempt)
        self._temporary = directory / PARTIAL.replace("*", "new.tmp")
        self._metadata = {"format": FORMAT, **fingerprint}
        self.results = PartialResults(self._read())
        self._is_changed = False
        self._seconds = 0.0
        self._written_at = time.monotonic()

    def write_if_due(self) -> None:
        """Note that something is new, and write it unless the last file is recent."""
        self._is_changed = True
        if time.monotonic() - self._written_at >= max(MIN_SECONDS, WRITING_FACTOR * self._seconds):
            self.write()

    def write(self) -> None:
        """Write what is new. Without disk space or database, a later attempt repeats more."""
        if not self._is_changed:
            return
        began = time.monotonic()
        try:
            if self._holds_job():
                self._publish()
                self._is_changed = False
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            log.warning("partial results not written", error=str(error))
        self._written_at = time.monotonic()
        self._seconds = self._written_at - began

    def _holds_job(self) -> bool:
        """Return whether this attempt holds the job; False where the database does not answer.

        An attempt that lost its job ends its process here.
        """
        query = sa.select(sa.literal(1)).where(attempts.is_held_by(self._lease))
        try:
            with self._database.read() as connection:
                is_held = connection.execute(query).first() is not None
        except Unavailable:
            return False
        return is_held or exit_fenced()

    def _publish(self) -> None:
        temporary = self._temporary
        temporary.parent.mkdir(parents=True, exist_ok=True)
        tensors = {
            json.dumps([part, name]): tensor.detach().cpu()
            for part, own in self.results.parts.items()
            for name, tensor in own.items()
        }
        save_tensors(tensors, temporary, self._metadata)
        path = temporary.with_name(_name(temporary))
        earlier = [each for each in self._files() if each != path]
        publish(temporary, path)
        for each in earlier:
            each.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        """Yield the files of this and earlier attempts, the newest first."""
        for attempt in range(self._lease.attempt, 0, -1):
            directory = self._storage.attempt(self._lease.job_id, attempt)
            yield from sorted(directory.glob(PARTIAL + SUFFIX), key=_written_ns, reverse=True)

    def _read(self) -> dict[str, dict[str, Tensor]]:
        """Return the parts of the newest file that can be used."""
        for path in self._files():
            try:
                parts = self._read_file(path)
            except (OSError, SafetensorError, ValueError, KeyError) as error:
                log.warning("partial results cannot be read", error=str(error))
                continue
            if parts:
                log.info("resumed", parts=len(parts))
                return parts
        return {}

    def _read_file(self, path: Path) -> dict[str, dict[str, Tensor]]:
        """Return the parts in a file; none if it belongs to another machine or version."""
        if path.name != _name(path):
            raise ValueError("the digest differs from the file's name")
        parts: dict[str, dict[str, Tensor]] = {}
        with safe_open(path, "pt") as file:
            if file.metadata() != self._metadata:
                log.info("partial results of another machine or version are not used")
                return {}
            for key in file.keys():  # noqa: SIM118 - it is no dict
                part, name = json.loads(key)
                parts.setdefault(part, {})[name] = file.get_tensor(key)
        return parts


def _written_ns(path: Path) -> int:
    """Return when a file was written, in nanoseconds; 0 if it was deleted meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _name(path: Path) -> str:
    """Return the name that belongs to the content of a file."""
    return PARTIAL.replace("*", sha256_of_file(path)) + SUFFIX
