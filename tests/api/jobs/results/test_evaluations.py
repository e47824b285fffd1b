"""Which checkpoint the test results come from, and why there may be none."""

from typing import Any

import sqlalchemy as sa

from shared.jobs.attempts import Lease
from shared.jobs.recording import NewCheckpoint, NewEvaluation
from tests.api.jobs.results.files import evaluate, evaluation_data, with_file
from tests.api.service import Service, checkpoint_row


class TestDefaultCheckpoint:
    """By default: the best checkpoint by the specification's first monitor, or else the last."""

    def _start_job(self, service: Service, *monitors: str) -> Lease:
        rules = [{"monitor": monitor, "mode": "min"} for monitor in monitors]
        lease = service.start_job(checkpoints=[{"epoch": 0}, *rules])
        for monitor in ("val_loss", "val_data_loss"):  # in the order of their ids
            row = checkpoint_row("best", 10, monitor=monitor, mode="min", value=0.5)
            service.record(lease, checkpoints=[row])
        service.record(lease, checkpoints=[checkpoint_row("last", 30)])
        return lease

    def _names(self, service: Service, lease: Lease) -> tuple[str, list[str]]:
        """Return the name of the default checkpoint, and the names of all in order."""
        address = f"/v1/jobs/{lease.job_id}"
        top_k = service.client.get(f"{address}/top-k").json()
        confusion = service.client.get(f"{address}/confusion").json()
        assert top_k["samples"]["checkpoint"] == confusion["checkpoint"]
        return confusion["name"], [checkpoint["name"] for checkpoint in top_k["checkpoints"]]

    def test_first_monitor_decides(self, service: Service) -> None:
        lease = self._start_job(service, "val_data_loss", "val_loss")
        evaluate(service, lease, ("last", "best_val_loss", "best_val_data_loss"))
        names = ["best_val_data_loss", "best_val_loss", "last"]
        assert self._names(service, lease) == (names[0], names)

    def test_last_is_used_if_the_best_is_missing(self, service: Service) -> None:
        lease = self._start_job(service, "val_data_loss", "val_loss")
        evaluate(service, lease, ("best_val_loss", "last"))
        assert self._names(service, lease) == ("last", ["best_val_loss", "last"])

    def test_last_is_used_without_a_monitor(self, service: Service) -> None:
        lease = self._start_job(service)
        evaluate(service, lease, ("last",))
        assert self._names(service, lease) == ("last", ["last"])


class TestNoResults:
    def _detail(self, service: Service, job_id: str) -> str:
        response = service.client.get(f"/v1/jobs/{job_id}/top-k")
        assert response.status_code == 409
        return response.json()["detail"]

    def test_regression_job_has_no_classes(self, service: Service) -> None:
        job_id = service.submit(dataset={"name": "digits", "target": "rotation"})
        assert self._detail(service, job_id).startswith("This is a regression job")

    def test_results_of_an_unfinished_job_are_announced(self, service: Service) -> None:
        job_id = service.submit()
        assert "tested at its end" in self._detail(service, job_id)

    def test_results_of_a_cancelled_job_are_not_announced(self, service: Service) -> None:
        job_id = service.submit()
        service.post(f"/v1/jobs/{job_id}/cancel")
        assert self._detail(service, job_id).startswith("The job is cancelled and was never tested")

    def test_running_job_has_neither_top_k_nor_confusion(
        self, service: Service, lease: Lease
    ) -> None:
        for path in ("top-k", "confusion"):
            response = service.client.get(f"/v1/jobs/{lease.job_id}/{path}")
            assert response.status_code == 409
            assert "at its end" in response.json()["detail"]


def test_checkpoint_added_between_two_queries_is_not_seen(service: Service, lease: Lease) -> None:
    evaluate(service, lease)
    address = f"/v1/jobs/{lease.job_id}/top-k"
    before = service.client.get(address).json()
    engine, added = service.app.state.services.database.engine, list[NewCheckpoint]()

    def add(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM checkpoints" in statement and not added:
            added.append(with_file(service, lease, checkpoint_row("series", 40, epoch=4)))
            row = NewEvaluation(
                checkpoint_id=added[0].id, split="test", data=evaluation_data(), predictions=""
            )
            service.record(lease, checkpoints=added, evaluations=[row])

    sa.event.listen(engine, "after_cursor_execute", add)
    try:
        assert service.client.get(address).json() == before
    finally:
        sa.event.remove(engine, "after_cursor_execute", add)
    checkpoints = service.client.get(address).json()["checkpoints"]
    names = [checkpoint["name"] for checkpoint in checkpoints]
    assert names == ["best_val_loss", "last", "epoch_4"]
