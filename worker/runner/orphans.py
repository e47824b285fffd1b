"""Checkpoint directories that no row refers to: their runner ended before it recorded them."""

import shutil
from collections.abc import Iterable
from typing import Any

from shared.storage import Storage


def delete_orphans(
    storage: Storage, job_id: str, attempts: Iterable[int], *, used: set[Any]
) -> None:
    """Delete the checkpoint directories of attempts that have ended to which no row refers.

    Their runner was killed or fenced while it wrote them, or they are past the step from which a
    later attempt resumes.

    Args:
        storage: where checkpoints are.
        job_id: of the job.
        attempts: the numbers of the attempts.
        used: the directories of the job's checkpoints, as stored, also of unreadable rows.
    """
    if not all(isinstance(directory, str) for directory in used):
        return  # the row that names a directory may be damaged: nothing is lost by waiting
    for attempt in attempts:
        for path in storage.attempt(job_id, attempt).glob("*/"):
            if storage.relative(path) not in used:
                shutil.rmtree(path, ignore_errors=True)
