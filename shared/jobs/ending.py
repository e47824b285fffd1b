"""How a job ended, as a sentence: the same in its events, its JSON, the client and MLflow."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.states import FINAL

Json = Mapping[str, Any]


def ending(
    state: str, *, result: Json | None, failure: Json | None, progress: Json | None
) -> str | None:
    """Return how a job ended; None before its end.

    Args:
        state: of the job.
        result: of a job that succeeded; its `stages` say how each stage ended.
        failure: of a job that failed.
        progress: of the newest attempt, if there is one.
    """
    if state not in FINAL:
        return None
    if state == "succeeded":
        texts = stage_ends(result)
        if len(texts) == 1:
            return next(iter(texts.values()))
        return ". ".join(f"{name}: {text}" for name, text in texts.items()) or state
    at = ""
    if isinstance(progress, dict) and {"epoch", "epochs"} <= progress.keys():
        at = f" at epoch {progress['epoch']} of {progress['epochs']}"
    if not isinstance(failure, dict) or not {"kind", "message"} <= failure.keys():
        return f"{state}{at}"
    return f"{state}{at} ({failure['kind']}): {failure['message']}"


def stage_ends(result: Json | None) -> dict[str, str]:
    """Return how each stage of a job ended, by its name, from the job's result.

    Without what cannot be read: a job must end even if its row was damaged.
    """
    stages = result.get("stages") if isinstance(result, dict) else None
    if not isinstance(stages, dict):
        return {}
    # A job of an earlier version has a text instead of an object.
    ends = {name: end.get("text") if isinstance(end, dict) else end for name, end in stages.items()}
    return {name: end for name, end in ends.items() if isinstance(end, str)}


def read_ending(connection: sa.Connection, job_id: str) -> str | None:
    """Return how a job ended, by its row."""
    jobs = tables.jobs.c
    row = connection.execute(
        sa.select(jobs.state, jobs.result, jobs.failure, tables.live.c.progress)
        .select_from(tables.jobs.outerjoin(tables.live))
        .where(jobs.id == job_id)
    ).one()
    return ending(row.state, result=row.result, failure=row.failure, progress=row.progress)
