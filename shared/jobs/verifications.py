"""Checks of patches: a fork with the patch next to a null fork, and the verdict on both.

The rows of the two jobs hold everything that the verdict depends on. It is decided once both have
ended, by whichever leading reaper comes first, so no crash loses it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.errors import NotFound
from shared.jobs.findings import list_findings
from shared.jobs.stored_row import StoredRow
from shared.jobs.submission import Submission, submit
from shared.jobs.verdicts import Decision, Losses, Verdict, decide
from shared.states import FINAL

METRIC = "val_data_loss"
CheckState = Literal["none", "queued", "running", "verified", "refuted", "inconclusive"]
#: Undecided verifications that a round looks at.
MAX_PER_ROUND = 100


@dataclass(frozen=True, kw_only=True)
class VerificationRow(StoredRow):
    """A check of a patch."""

    TABLE: ClassVar[str] = "verifications"
    KEY: ClassVar[tuple[str, ...]] = ("patch_id",)

    patch_id: str
    job_id: str
    finding_id: str
    fork_id: str
    null_id: str
    verdict: Verdict | None
    gain: float | None
    detail: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewVerification:
    """A request that has been checked."""

    patch_id: str
    job_id: str
    finding_id: str
    owner: str
    #: The specification with the patch, and the job's with another seed.
    fork_spec: dict[str, Any]
    null_spec: dict[str, Any]
    epochs: int


@dataclass(frozen=True)
class PatchCheck:
    """What a check of a patch shows, as a finding lists it."""

    state: CheckState
    job: str | None = None
    gain: float | None = None
    detail: str | None = None


@dataclass(frozen=True)
class _Training:
    """What the verdict needs of a job."""

    id: str
    state: str
    failure: str | None
    epoch_limit: int | None

    @property
    def has_measured(self) -> bool:
        """Whether the job trained to its end, or as far as it could before it diverged."""
        return self.state == "succeeded" or self.failure == "diverged"


def list_awaiting(connection: sa.Connection) -> list[str]:
    """Return the jobs that have ended and wait for the check of a patch."""
    jobs = tables.jobs.c
    # A literal, not a parameter: otherwise the planner does not use the partial index.
    is_awaiting = sa.text("jobs.awaits_verification")
    query = sa.select(jobs.id).where(is_awaiting, jobs.state.in_(FINAL))
    return list(connection.execute(query.limit(MAX_PER_ROUND)).scalars())


def stop_awaiting(connection: sa.Connection, job_id: str) -> bool:
    """Clear the request of a job for a check; return False if it has been cleared already."""
    jobs = tables.jobs.c
    update = sa.update(tables.jobs).where(jobs.id == job_id, jobs.awaits_verification)
    return connection.execute(update.values(awaits_verification=False)).rowcount > 0


def start(connection: sa.Connection, new: NewVerification) -> bool:
    """Record a check with its two jobs; return False for a check that exists already.

    A check without a verdict because its jobs did not train to the end is started again.

    Raises:
        NotFound: the job was deleted meanwhile.
    """
    jobs, checks = tables.jobs.c, tables.verifications.c
    # The second of two concurrent requests finds the check of the first.
    lock = sa.select(jobs.id).where(jobs.id == new.job_id).with_for_update()
    if connection.execute(lock).first() is None:
        raise NotFound(f"There is no job {new.job_id}.")
    if is_known(connection, new.patch_id):
        return False
    fork_id = _submit(connection, new, new.fork_spec)
    null_id = _find_null(connection, new) or _submit(connection, new, new.null_spec)
    connection.execute(sa.delete(tables.verifications).where(checks.patch_id == new.patch_id))
    values = {"patch_id": new.patch_id, "job_id": new.job_id, "finding_id": new.finding_id}
    values |= {"fork_id": fork_id, "null_id": null_id}
    connection.execute(sa.insert(tables.verifications), {**values, "created_at": now()})
    return True


def _submit(connection: sa.Connection, new: NewVerification, spec: dict[str, Any]) -> str:
    job_id, _ = submit(
        connection,
        Submission(
            owner=new.owner,
            spec=spec,
            forked_from=new.job_id,
            kind="verification",
            epoch_limit=new.epochs,
        ),
    )
    return job_id


def _find_null(connection: sa.Connection, new: NewVerification) -> str | None:
    """Return a null fork of an earlier check that trains, or has trained, for long enough."""
    checks = tables.verifications.c
    query = sa.select(checks.null_id).where(checks.job_id == new.job_id)
    found = _trainings(connection, set(connection.execute(query).scalars()))
    for training in found.values():
        is_usable = training.state not in FINAL or training.has_measured
        if is_usable and (training.epoch_limit or 0) >= new.epochs:
            return training.id
    return None


def is_known(connection: sa.Connection, patch_id: str) -> bool:
    """Return whether a patch is being checked, or has a verdict from jobs that trained enough.

    Without a verdict because a job was cancelled or deleted, or failed, the patch can be checked
    again.
    """
    query = sa.select(tables.verifications).where(tables.verifications.c.patch_id == patch_id)
    columns = connection.execute(query).mappings().first()
    if columns is None:
        return False
    row = VerificationRow.read(columns)
    if row.verdict != "inconclusive":
        return True
    found = _trainings(connection, {row.fork_id, row.null_id})
    return len(found) == 2 and all(training.has_measured for training in found.values())


def read_checks(connection: sa.Connection, job_id: str) -> dict[str, PatchCheck]:
    """Return the checks of the patches of a job's findings, by the id of the patch."""
    checks = tables.verifications.c
    query = sa.select(tables.verifications).where(checks.job_id == job_id)
    rows = VerificationRow.read_all(connection.execute(query).mappings())
    found = _trainings(connection, {row.fork_id for row in rows})
    return {row.patch_id: _check(row, found) for row in rows}


def _check(row: VerificationRow, found: Mapping[str, _Training]) -> PatchCheck:
    fork = found.get(row.fork_id)
    job = None if fork is None else fork.id
    if row.verdict is not None:
        return PatchCheck(row.verdict, job, row.gain, row.detail)
    is_waiting = fork is not None and fork.state in ("queued", "paused")
    return PatchCheck("queued" if is_waiting else "running", job)


def list_decidable(connection: sa.Connection) -> list[str]:
    """Return the patches without a verdict whose jobs have ended."""
    jobs, checks = tables.jobs.c, tables.verifications.c
    trains = sa.select(jobs.id).where(
        jobs.id.in_((checks.fork_id, checks.null_id)), jobs.state.not_in(FINAL)
    )
    # A literal, not a parameter: otherwise the planner does not use the partial index.
    is_undecided = sa.text("verifications.verdict IS NULL")
    query = sa.select(checks.patch_id).where(is_undecided, ~trains.exists())
    return list(connection.execute(query.limit(MAX_PER_ROUND)).scalars())


def settle(connection: sa.Connection, patch_id: str) -> Decision | None:
    """Decide a check whose jobs have ended; return None where the job itself is still needed."""
    checks = tables.verifications.c
    lock = sa.select(tables.verifications).where(checks.patch_id == patch_id).with_for_update()
    columns = connection.execute(lock).mappings().first()
    if columns is None or columns["verdict"] is not None:
        return None
    decision = _decision(connection, VerificationRow.read(columns))
    if decision is not None:
        gain = decision.gain if decision.gain is None else round(decision.gain, 6)
        values = {"verdict": decision.verdict, "gain": gain, "detail": decision.detail}
        update = sa.update(tables.verifications).where(checks.patch_id == patch_id)
        connection.execute(update.values(**values))
    return decision


def _decision(connection: sa.Connection, row: VerificationRow) -> Decision | None:
    found = _trainings(connection, {row.job_id, row.fork_id, row.null_id})
    fork, null, parent = (found.get(each) for each in (row.fork_id, row.null_id, row.job_id))
    if fork is None:
        return Decision("inconclusive", None, "The job with the patch was deleted.")
    if not fork.has_measured:
        reason = f": {fork.failure}" if fork.failure else ""
        text = f"The job with the patch is {fork.state}{reason}"
        return Decision("inconclusive", None, f"{text}. Verify the patch again.")
    epoch = fork.epoch_limit or 0
    losses = {each: _loss(connection, training, epoch) for each, training in found.items()}
    fork_loss, parent_loss = losses[fork.id], losses.get(row.job_id)
    if parent is not None and parent_loss is None and parent.state not in FINAL:
        return None  # it has not come that far yet
    if fork_loss is None:
        text = f"The training with the patch has no validation loss after epoch {epoch}"
        return Decision("inconclusive", None, f"{text}: it ends earlier.")
    of_parent = list_findings(connection, row.job_id)
    of_fork = [each for each in list_findings(connection, row.fork_id) if each.state == "open"]
    rule = next((each.rule for each in of_parent if each.id == row.finding_id), None)
    errors = {each.rule for each in of_fork if each.severity == "error"}
    return decide(
        Losses(parent_loss, None if null is None else losses[null.id], fork_loss),
        epoch=epoch,
        is_gone=all(each.rule != rule for each in of_fork),
        new_errors=sorted(errors - {each.rule for each in of_parent if each.state == "open"}),
    )


def _loss(connection: sa.Connection, training: _Training, epoch: int) -> float | None:
    """Return a job's validation loss after an epoch; infinite if it diverged before."""
    metrics = tables.metrics.c
    query = sa.select(metrics.value).where(
        metrics.job_id == training.id, metrics.name == METRIC, metrics.epoch == epoch
    )
    value = connection.execute(query.limit(1)).scalar_one_or_none()
    if value is None:
        return math.inf if training.failure == "diverged" else None
    return value if math.isfinite(value) else math.inf


def _trainings(connection: sa.Connection, ids: set[str]) -> dict[str, _Training]:
    jobs = tables.jobs.c
    query = sa.select(jobs.id, jobs.state, jobs.failure, jobs.epoch_limit).where(jobs.id.in_(ids))
    return {
        row.id: _Training(
            row.id,
            row.state,
            row.failure.get("kind") if isinstance(row.failure, dict) else None,
            row.epoch_limit,
        )
        for row in connection.execute(query)
    }
