"""Findings of a job under the fence, and the state of its watch at each checkpoint."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from shared import tables
from shared.jobs.attempts import Lease
from shared.jobs.stored_row import Check, StoredRow, check_not_negative

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
FindingState = Literal["open", "resolved"]
NO_FINDINGS: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
#: The checkpoints that a job can resume from: the last and its fallback.
MAX_WATCHES = 3


@dataclass(frozen=True, kw_only=True)
class NewFinding:
    """A finding to record; it replaces the finding of the same rule and stage."""

    id: str
    rule: str
    stage: str
    severity: Severity
    state: FindingState
    first_step: int
    last_step: int
    epoch: int
    because_of: str | None
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewDiagnosis:
    """What changed in the findings of a job: the changed rows, the open counts, the headline."""

    findings: list[NewFinding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict(NO_FINDINGS))
    headline: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewWatch:
    """The state of the watch at a step boundary, with every finding and the job's columns."""

    step: int
    epoch: int
    data: dict[str, Any]


#: The types of the parts of `data` that are shown.
PARTS = {"sentence": str, "explanation": str, "layers": list, "evidence": dict, "reasons": list}


def _check_data(data: dict[str, Any]) -> str | None:
    for name, kind in PARTS.items():
        if not isinstance(data.get(name), kind):
            return f"has no {name}"
    patches = data.get("patches")
    if not isinstance(patches, list) or not all(map(_is_patch, patches)):
        return "has a patch of another form"
    return None


def _is_patch(patch: Any) -> bool:
    kinds = {"id": str, "expects": str, "operations": list}
    return isinstance(patch, dict) and all(isinstance(patch.get(n), k) for n, k in kinds.items())


@dataclass(frozen=True, kw_only=True)
class FindingRow(StoredRow):
    """A finding of a job."""

    TABLE: ClassVar[str] = "findings"
    CHECKS: ClassVar[dict[str, Check]] = {
        "first_step": check_not_negative,
        "last_step": check_not_negative,
        "epoch": check_not_negative,
        "data": _check_data,
    }

    id: str
    job_id: str
    rule: str
    stage: str
    severity: Severity
    state: FindingState
    first_step: int
    last_step: int
    epoch: int
    because_of: str | None
    data: dict[str, Any]


def store_findings(connection: sa.Connection, lease: Lease, rows: list[NewFinding]) -> None:
    """Store findings, each in the place of the finding of the same rule and stage.

    The caller holds the job's row under the fence.
    """
    old = tables.findings.c
    for row in rows:
        connection.execute(
            sa.delete(tables.findings).where(
                old.job_id == lease.job_id, old.rule == row.rule, old.stage == row.stage
            )
        )
        values = {"job_id": lease.job_id, **vars(row)}
        connection.execute(sa.insert(tables.findings), values)


def store_watch(connection: sa.Connection, lease: Lease, watch: NewWatch) -> None:
    """Store the state of the watch at a checkpoint; delete older states, which no attempt needs."""
    old = tables.watches.c
    mine = old.job_id == lease.job_id
    connection.execute(
        sa.delete(tables.watches).where(mine, old.step == watch.step, old.epoch == watch.epoch)
    )
    connection.execute(sa.insert(tables.watches), {"job_id": lease.job_id, **vars(watch)})
    kept = sa.select(old.step).where(mine).order_by(old.step.desc()).limit(MAX_WATCHES)
    oldest = min(connection.execute(kept).scalars())
    connection.execute(sa.delete(tables.watches).where(mine, old.step < oldest))


def read_watch(
    connection: sa.Connection, job_id: str, step: int, epoch: int
) -> dict[str, Any] | None:
    """Return the state of a job's watch at a checkpoint; None where none is stored."""
    columns = tables.watches.c
    query = sa.select(columns.data).where(
        columns.job_id == job_id, columns.step == step, columns.epoch == epoch
    )
    data = connection.execute(query).scalar_one_or_none()
    return data if isinstance(data, dict) else None


def list_findings(connection: sa.Connection, job_id: str) -> list[FindingRow]:
    """Return the findings of a job: roots first, and among them errors and early findings first."""
    query = sa.select(tables.findings).where(tables.findings.c.job_id == job_id)
    return sorted(FindingRow.read_all(connection.execute(query).mappings()), key=_order)


def get_job_of_finding(connection: sa.Connection, finding_id: str) -> str | None:
    """Return the id of the job of a finding, or None."""
    findings = tables.findings.c
    query = sa.select(findings.job_id).where(findings.id == finding_id)
    return connection.execute(query).scalar_one_or_none()


def get_finding(connection: sa.Connection, finding_id: str) -> FindingRow | None:
    """Return a finding, or None."""
    query = sa.select(tables.findings).where(tables.findings.c.id == finding_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else FindingRow.read(row)


def _order(row: FindingRow) -> tuple[Any, ...]:
    rank = row.data.get("rank")
    return (
        row.state != "open",
        row.because_of is not None,
        SEVERITIES.index(row.severity),
        rank if isinstance(rank, int) else 0,
        row.first_step,
        row.rule,
        row.id,
    )


def forget_findings_past(
    connection: sa.Connection, lease: Lease, *, step: int, epoch: int | None
) -> None:
    """Bring the findings of a job back to what they were at a checkpoint.

    Where the state of the watch there is not stored, the findings that began later are deleted.
    """
    old, findings, jobs = tables.watches.c, tables.findings.c, tables.jobs
    mine, of_job = old.job_id == lease.job_id, findings.job_id == lease.job_id
    is_later = old.step > step
    if epoch is not None:
        is_later = sa.or_(is_later, old.epoch > epoch)
    connection.execute(sa.delete(tables.watches).where(mine, is_later))
    data = None if epoch is None else read_watch(connection, lease.job_id, step, epoch)
    counts, headline = dict(NO_FINDINGS), None
    if data is None:
        is_gone = findings.first_step > step if step else sa.true()
        connection.execute(sa.delete(tables.findings).where(of_job, is_gone))
        rows = list_findings(connection, lease.job_id)
        for row in rows:
            counts[row.severity] += row.state == "open"
    else:
        connection.execute(sa.delete(tables.findings).where(of_job))
        store_findings(connection, lease, [NewFinding(**row) for row in data["findings"]])
        counts, headline = data["counts"], data["headline"]
    connection.execute(
        sa.update(jobs).where(jobs.c.id == lease.job_id).values(findings=counts, headline=headline)
    )
