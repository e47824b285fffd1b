"""The tags of a run: what a job is, the tags that its owner gave it, and how it ended."""

from shared.clock import rfc3339
from shared.jobs.ending import ending, stage_ends
from shared.jobs.rows import JobRow
from worker.tracking.names import MAX_TAG_LENGTH, cut, name_of

JOB_TAG = "trainshed.job_id"
#: Before the tags of the owner, so that none is one of ours or of MLflow's.
OWNER_TAG_PREFIX = "tag."


def start_tags(job: JobRow) -> dict[str, str]:
    """Return the tags that are known when the job starts."""
    ours = {
        JOB_TAG: job.id,
        "trainshed.owner": job.owner,
        "trainshed.created_at": rfc3339(job.created_at) or "",
    }
    return ours | {name_of(key, OWNER_TAG_PREFIX): value for key, value in job.tags.items()}


def end_tags(job: JobRow) -> dict[str, str]:
    """Return how the job ended: its state and reason, its failure, and the end of each stage."""
    tags = {"trainshed.state": job.state, "trainshed.reason": job.reason or ""}
    tags["trainshed.ending"] = (
        ending(job.state, result=job.result, failure=job.failure, progress=job.progress) or ""
    )
    tags["trainshed.headline"] = job.headline or ""
    for part, text in (job.failure or {}).items():
        tags[f"trainshed.failure.{part}"] = str(text)
    for stage, text in stage_ends(job.result).items():
        tags[f"trainshed.stages.{stage}"] = text
    return {name: cut(text, MAX_TAG_LENGTH) for name, text in tags.items() if text}
