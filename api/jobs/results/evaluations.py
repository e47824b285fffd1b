"""The test results of a job's checkpoints, and which of them a request refers to."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from api.jobs.lookup import find_job
from api.jobs.results.accuracies import check_results
from api.services.container import Services
from shared.errors import Conflict, RowUnreadable
from shared.jobs import queries, unreadable_rows
from shared.jobs.checkpoint_names import (
    checkpoint_name,
    default_checkpoint_name,
    find_checkpoint,
)
from shared.jobs.partial_rows import require
from shared.jobs.rows import CheckpointRow, EvaluationRow, JobRow
from shared.states import FINAL

CheckpointName = Annotated[
    str | None,
    Query(
        max_length=100,
        description="An id, `last` or `best_<monitor>`. By default the best checkpoint by the "
        "first monitor of the specification, or else the last",
    ),
]


@dataclass(frozen=True)
class Evaluated:
    """The evaluated checkpoints of a job."""

    job: JobRow
    #: Checkpoints with their evaluations: in the order of the specification, then the last.
    pairs: list[tuple[CheckpointRow, EvaluationRow]]
    #: The name of the checkpoint that the job's `test_…` metrics come from.
    default: str

    def select(self, name: str | None) -> tuple[CheckpointRow, EvaluationRow]:
        """Return a checkpoint by its id or name, with its evaluation.

        Args:
            name: The id or name; None for the default, or for the last if the default is missing.

        Raises:
            NotFound: There is no such checkpoint.
        """
        rows = [row for row, _ in self.pairs]
        if name is None:
            names = {checkpoint_name(row) for row in rows}
            name = self.default if self.default in names else "last"
        checkpoint = find_checkpoint(rows, name)
        return next(pair for pair in self.pairs if pair[0] is checkpoint)


def read_classification(services: Services, job_id: str) -> Evaluated:
    """Return the evaluated checkpoints of a classification job.

    Raises:
        NotFound: There is no such job.
        Conflict: It is a regression job, or it has no test results.
        RowUnreadable: Its specification cannot be read.
    """
    with services.database.read() as connection:
        job = find_job(connection, job_id)
        require(job, "spec")
        checkpoints = {row.id: row for row in queries.list_checkpoints(connection, job_id)}
        evaluations = queries.list_evaluations(connection, job_id)
    if services.methods.task(job.spec["loss"]["name"]) == "regression":
        raise Conflict(
            "This is a regression job: it has no top-k accuracies and no confusion matrix. "
            "Its errors are among its metrics, and its predictions among its artifacts."
        )
    if not evaluations:
        raise Conflict(
            f"The job is {job.state} and was never tested, so it has no test results."
            if job.state in FINAL
            else "The job has no test results yet; its best checkpoints are tested at its end."
        )
    pairs = _readable_pairs(checkpoints, evaluations)
    if not pairs:
        raise Conflict(
            "The stored test results of the job cannot be read. Ask the administrator to repair "
            "them, or retry the job."
        )
    monitors = [rule.get("monitor") for rule in job.spec["checkpoints"]]
    order = [f"best_{monitor}" for monitor in monitors if monitor] + ["last"]
    pairs.sort(key=lambda pair: _rank(order, checkpoint_name(pair[0])))
    return Evaluated(job, pairs, default_checkpoint_name(monitors))


def _readable_pairs(
    checkpoints: dict[str, CheckpointRow], evaluations: list[EvaluationRow]
) -> list[tuple[CheckpointRow, EvaluationRow]]:
    """Return the checkpoints with their test results, without what cannot be read."""
    pairs: list[tuple[CheckpointRow, EvaluationRow]] = []
    for evaluation in evaluations:
        checkpoint = checkpoints.get(evaluation.checkpoint_id)
        try:
            check_results(evaluation)
        except RowUnreadable as error:
            unreadable_rows.note(error)
        else:
            if checkpoint is not None:
                pairs.append((checkpoint, evaluation))
    return pairs


def _rank(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)
