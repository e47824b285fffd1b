"""Which checkpoints a job has, which were evaluated, and which of them is meant."""

from dataclasses import dataclass

from api.services import Services
from shared.errors import Conflict, NotFound
from shared.jobs import queries
from shared.jobs.checkpoint_names import (
    checkpoint_name,
    default_checkpoint_name,
    find_checkpoint,
)
from shared.jobs.rows import CheckpointRow, EvaluationRow
from shared.states import FINAL


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated of a job."""

    #: Checkpoints with their evaluations: in the order of the specification, then the last.
    pairs: list[tuple[CheckpointRow, EvaluationRow]]
    #: The name of the checkpoint that speaks for the job.
    default: str


def kept(services: Services, job_id: str) -> list[CheckpointRow]:
    """The checkpoints of a job, oldest first, without what is there for safety only.

    Raises:
        NotFound: there is no such job.
    """
    return [row for row in _all(services, job_id) if row.kind != "previous"]


def addressed(services: Services, job_id: str, name: str) -> CheckpointRow:
    """Return the checkpoint of this id or name, the fallback of `last` too by its id.

    Raises:
        NotFound: no such job or checkpoint.
    """
    return find_checkpoint(_all(services, job_id), name, with_previous=True)


def _all(services: Services, job_id: str) -> list[CheckpointRow]:
    with services.database.read() as connection:
        if queries.get_job(connection, job_id) is None:
            raise NotFound(f"There is no job {job_id}.")
        return queries.list_checkpoints(connection, job_id)


def of_classes(services: Services, job_id: str) -> Evaluated:
    """What was evaluated, where there are classes that can be right or taken for each other.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was evaluated yet, or a number is asked for.
    """
    with services.database.read() as connection:
        job = queries.get_job(connection, job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        rows = {row.id: row for row in queries.list_checkpoints(connection, job_id)}
        found = queries.list_evaluations(connection, job_id)
    if services.methods.task(job.spec["loss"]["name"]) == "regression":
        raise Conflict(
            "The job asks for a number, so there are no classes to rank or confuse: its errors "
            "are among its metrics, and its predictions among its artifacts."
        )
    pairs = [(rows[one.checkpoint_id], one) for one in found]
    if not pairs:
        raise Conflict(
            f"The job is {job.state} and was never tested: there are no results."
            if job.state in FINAL
            else "The job has no test results yet: they come at its end, from its best checkpoints."
        )
    monitors = [rule.get("monitor") for rule in job.spec["checkpoints"]]
    order = [f"best_{monitor}" for monitor in monitors if monitor] + ["last"]
    pairs.sort(key=lambda pair: _place(order, checkpoint_name(pair[0])))
    return Evaluated(pairs, default_checkpoint_name(monitors))


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def chosen_of(found: Evaluated, name: str | None) -> tuple[CheckpointRow, EvaluationRow]:
    """The checkpoint of this id or name, with its evaluation.

    Without a name it is the one that speaks for the job, as for its `test_…` metrics: where that
    is lost, the last.

    Raises:
        NotFound: there is none.
    """
    rows = [row for row, _ in found.pairs]
    if name is None:
        names = {checkpoint_name(row) for row in rows}
        name = found.default if found.default in names else "last"
    chosen = find_checkpoint(rows, name)
    return next(pair for pair in found.pairs if pair[0] is chosen)
