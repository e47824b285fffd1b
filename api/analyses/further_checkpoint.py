"""The second checkpoint of an analysis that compares two, as its parameters name it."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from api.http.faults import Faults
from api.services.principal import Principal
from shared.errors import NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import find_checkpoint
from shared.jobs.rows import JobRow

#: The parts of a specification that decide which tensors a network has.
NETWORK_PARTS = ("architecture",)


@dataclass(frozen=True)
class Further:
    """What a second checkpoint changes of an analysis."""

    #: Replaces parameters: the name of the checkpoint by its id, which later epochs do not move.
    parameters: dict[str, Any] = field(default_factory=dict)
    #: The digest of its weights.
    digests: tuple[str, ...] = ()


def find_further(
    connection: sa.Connection,
    principal: Principal,
    entry: dict[str, Any],
    job: JobRow,
    parameters: dict[str, Any],
    faults: Faults,
) -> Further:
    """Return the second checkpoint; nothing for a kind without, or where it is built again.

    Args:
        connection: for reading.
        principal: who requests it; a job that they may not read does not exist.
        entry: of the kind in the catalogue. Its `further_checkpoint` names the parameters with the
            checkpoint and its job, and the name of the weights that a runner can build again.
        job: the analysed job.
        parameters: every parameter of the kind.
        faults: that there is no such job or checkpoint, or its network is another, is added to it.
    """
    fact = entry.get("further_checkpoint")
    if fact is None:
        return Further()
    name, job_id = parameters[fact["checkpoint"]], parameters[fact["job"]]
    if job_id is not None and not _is_suitable(
        connection, principal, job, job_id, faults, fact["job"]
    ):
        return Further()
    rows = queries.list_checkpoints(connection, job_id or job.id)
    try:
        row = find_checkpoint(rows, name, with_previous=True)
    except NotFound as error:
        if name == fact["built_again"] and job_id is None:
            return Further()
        faults.add(f"/{fact['checkpoint']}", error.detail)
        return Further()
    return Further({fact["checkpoint"]: row.id}, (row.sha256,))


def _is_suitable(
    connection: sa.Connection,
    principal: Principal,
    job: JobRow,
    other_id: str,
    faults: Faults,
    field: str,
) -> bool:
    """Return whether another job exists and has the same network."""
    other = queries.get_job_in_part(connection, other_id)
    is_job = other is not None and other.id.startswith("job_")
    if other is None or not is_job or not principal.may_read(other.owner):
        faults.add(f"/{field}", f"is {other_id!r}; there is no such job. Give the id of a job")
        return False
    for part in NETWORK_PARTS:
        if job.spec.get(part) != other.spec.get(part):
            text = (
                f"is {other_id}, whose `{part}` differs; only checkpoints of the same network can "
                "be connected"
            )
            faults.add(f"/{field}", text)
            return False
    return True
