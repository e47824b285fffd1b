"""Maps an exception to the failure that an analysis shows."""

from typing import Any

from shared.errors import Failure
from worker.analyses.subject import AnalysisRefused
from worker.runner.failures import MaxRuntimeReached, failure_of, is_out_of_memory
from worker.training.checkpoint import CheckpointCorrupt

#: What to do, by the kind of failure; other kinds have the same advice as a training.
HINTS = {
    "disk_full": "Delete old jobs, or ask the administrator for disk space; then request the "
    "analysis again.",
    "invalid_spec": "Analyse a job whose specification this version can read.",
}


def analysis_failure_of(error: BaseException, spec: dict[str, Any]) -> Failure:
    """Return the failure that the owner of an analysis reads.

    Args:
        error: the exception that ended the attempt.
        spec: the specification of the analysed job, as it is stored.
    """
    if is_out_of_memory(error):
        numbers = f" {error}" if isinstance(error, MemoryError) and str(error) else ""
        return Failure(
            kind="out_of_memory",
            message=f"The analysis does not fit into memory.{numbers}",
            hint="Use fewer iterations, directions or samples, or analyse a smaller network.",
        )
    if isinstance(error, AnalysisRefused):
        return Failure(
            kind="invalid_spec", message=str(error), hint="Request an analysis that fits the job."
        )
    if isinstance(error, CheckpointCorrupt):
        return Failure(
            kind="internal",
            message=f"The checkpoint is damaged. {error}",
            hint="Analyse another checkpoint of the job.",
        )
    if isinstance(error, MaxRuntimeReached):
        return Failure(
            kind="max_runtime",
            message=f"The analysis reached its max_runtime_seconds of {error.limit_seconds}.",
            hint="Request it again with a larger max_runtime_seconds, or with fewer iterations, "
            "directions, points or samples.",
        )
    failure = failure_of(error, spec)
    return Failure(
        kind=failure.kind, message=failure.message, hint=HINTS.get(failure.kind, failure.hint)
    )
