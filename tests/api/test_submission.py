"""`POST /v1/jobs` and `/v1/jobs/validate`."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import SPEC, TIMEOUT_SECONDS, Service


class TestCreate:
    def test_the_answer_is_the_job_with_every_default(self, service: Service) -> None:
        answer = service.post("/v1/jobs", {**SPEC, "name": "first", "tags": {"group": "vision"}})
        job = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
        assert job["object"] == "job"
        assert (job["state"], job["owner"]) == ("queued", "admin")
        assert job["tags"] == {"group": "vision"}
        assert job["spec"]["architecture"]["hidden_units"] == [128]
        assert job["spec"]["optimizer"] == {
            "name": "sgd",
            "learning_rate": 0.01,
            "momentum": 0.9,
            "nesterov": False,
            "schedule": {"name": "constant", "warmup": 0},
            "gradient_clipping": None,
        }
        assert job["spec"]["dataset"]["train"] == 1797 - 2 * (1797 * 15 // 100)
        assert job["spec"]["metrics"]["top_k"] == [1, 5]
        assert job["spec"]["training"]["epochs"] == 20
        assert service.job(job["id"])["spec"] == job["spec"]

    def test_what_is_filled_in_can_be_submitted_again_and_is_the_same(
        self, service: Service
    ) -> None:
        first = service.job(service.submit(regularizers={"l2": 0.01, "dropout": True}))["spec"]
        assert first["regularizers"]["l2"] == {"weight": 0.01, "only": None}
        assert service.job(service.submit(**first))["spec"] == first

    def test_it_is_stored_before_it_is_answered(self, service: Service) -> None:
        engine = service.app.state.services.database.engine
        held, release = threading.Event(), threading.Event()

        def hold(_: sa.Connection) -> None:
            held.set()
            release.wait(TIMEOUT_SECONDS)

        sa.event.listen(engine, "commit", hold)
        try:
            with ThreadPoolExecutor() as pool:
                answer = pool.submit(service.post, "/v1/jobs", SPEC)
                assert held.wait(TIMEOUT_SECONDS)
                time.sleep(0.3)
                assert not answer.done(), "the answer came before the commit"
                release.set()
                assert answer.result().status_code == 202
        finally:
            release.set()
            sa.event.remove(engine, "commit", hold)
        assert service.rows()["jobs"] == 1

    def test_a_commit_that_fails_is_no_job_and_no_success(self, service: Service) -> None:
        engine = service.app.state.services.database.engine

        def fail(_: sa.Connection) -> None:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("the disk is gone"))

        sa.event.listen(engine, "commit", fail)
        try:
            answer = service.post("/v1/jobs", SPEC)
        finally:
            sa.event.remove(engine, "commit", fail)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "disk" not in answer.text
        assert service.rows()["jobs"] == 0

    def test_no_request_waits_for_a_broker_that_is_away(self, service: Service) -> None:
        began = time.monotonic()
        for _ in range(5):
            service.submit()
        assert time.monotonic() - began < 2 * 5, "the broker's own patience is 2 s"
        doorbell = service.app.state.services.doorbell
        service.wait_until(lambda: doorbell.failed, "a ring that failed")

    def test_the_desk_is_asked_of_a_network_once(self, service: Service) -> None:
        service.submit()
        service.submit(seed=1, name="another")
        assert len(service.sidecar.requests) == 1
        service.app.state.services.sidecar._lately.cache_clear()
        service.submit(seed=2)
        assert len(service.sidecar.requests) == 1, "the table remembers"
        service.submit(architecture={"name": "mlp", "hidden_units": [7]})
        assert len(service.sidecar.requests) == 2

    def test_what_the_desk_refuses_is_a_fault_of_the_specification(self, service: Service) -> None:
        fault = {"pointer": "/dataset/image_size", "detail": "is too small"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert service.faults(SPEC) == {"/dataset/image_size": "is too small"}

    def test_without_the_desk_a_new_network_has_to_wait(self, service: Service) -> None:
        service.submit()
        sidecar = service.app.state.services.sidecar
        address, sidecar.address = sidecar.address, "unix:///nowhere/at/all.sock"
        try:
            answer = service.post("/v1/jobs", {**SPEC, "architecture": "linear"})
            assert service.post("/v1/jobs", SPEC).status_code == 202, "this one is known"
        finally:
            sidecar.address = address
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert service.rows()["jobs"] == 2


class TestIdempotency:
    def test_the_same_key_and_body_are_the_same_job(self, service: Service) -> None:
        first, second = (
            service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"}) for _ in range(2)
        )
        reordered = service.post(
            "/v1/jobs", dict(reversed(SPEC.items())), **{"Idempotency-Key": "k"}
        )
        assert first.json()["id"] == second.json()["id"] == reordered.json()["id"]
        assert service.rows()["jobs"] == 1

    def test_another_body_is_refused(self, service: Service) -> None:
        service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        answer = service.post("/v1/jobs", {**SPEC, "seed": 1}, **{"Idempotency-Key": "k"})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:trainshed:problem:idempotency-mismatch"
        assert service.rows()["jobs"] == 1

    def test_a_known_key_gives_its_job_also_where_the_body_is_not_admitted_any_more(
        self, service: Service
    ) -> None:
        fault = {"pointer": "/dataset/image_size", "detail": "is too small"}
        first = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        with service.database.write() as connection:
            connection.execute(sa.delete(tables.sidecar_answers))
        service.app.state.services.sidecar._lately.cache_clear()
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert service.post("/v1/jobs", SPEC).status_code == 422
        again = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert service.rows()["jobs"] == 1

    def test_a_hundred_at_once_are_one_job(self, service: Service) -> None:
        def submit(_: int) -> tuple[int, str]:
            answer = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
            return answer.status_code, answer.json()["id"]

        with ThreadPoolExecutor(32) as pool:
            answers = set(pool.map(submit, range(100)))
        assert len(answers) == 1, answers
        assert service.rows() == {"jobs": 1, "events": 1, "tags": 0, "idempotency": 1}

    @pytest.mark.parametrize("key", ["", "k" * 256, "a b", "\xfc"])
    def test_a_key_that_is_none_is_refused(self, service: Service, key: str) -> None:
        given = {"Idempotency-Key": key.encode("latin-1")}
        answer = service.client.post("/v1/jobs", json=SPEC, headers=given)
        assert answer.status_code == 400
        assert service.rows()["jobs"] == 0


class TestValidate:
    def test_it_says_what_is_known_and_writes_nothing(self, service: Service) -> None:
        service.submit(priority="high")
        before = service.rows()
        answer = service.post("/v1/jobs/validate", SPEC)
        said = answer.json()
        assert answer.status_code == 200
        assert said["valid"] is True
        assert said["parameter_count"] == {"trainable": 1234, "with_statistics": 1240}
        assert said["device_memory_mib"] == 7.5
        assert said["seconds_per_epoch"] is None
        assert said["queue_position"] == 2
        assert said["spec"]["training"]["batch_size"] == 32
        assert service.rows() == before

    def test_memory_is_that_of_every_stage_s_optimizer(self, service: Service) -> None:
        stages = [
            {"name": "a", "epochs": 1},
            {"name": "b", "epochs": 1, "optimizer": {"name": "rmsprop", "momentum": 0.5}},
            {"name": "c", "epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 1}},
        ]
        spec = {**SPEC, "optimizer": {"name": "sgd"}, "fine_tuning": {"stages": stages}}
        assert service.post("/v1/jobs/validate", spec).status_code == 200
        assert service.sidecar.requests[-1]["optimizers"] == [
            {"name": "sgd", "momentum": 0.9, "nesterov": False},
            {"name": "rmsprop", "rho": 0.9, "momentum": 0.5, "epsilon": 1e-8},
        ]

    def test_memory_is_that_of_a_batch_there_are_images_for(self, service: Service) -> None:
        for train, batch in ((24, 24), (64, 32)):
            dataset = {"name": "digits", "train": train, "validation": 8, "test": 8}
            spec = {**SPEC, "dataset": dataset, "training": {"batch_size": 32}}
            assert service.post("/v1/jobs/validate", spec).status_code == 200
            assert service.sidecar.requests[-1]["batch_size"] == batch

    def test_a_finished_job_of_the_same_work_says_how_long_an_epoch_takes(
        self, service: Service
    ) -> None:
        lease = service.start_job()
        service.record(lease, latest={"seconds": 1.23456})
        service.succeed(lease)
        assert service.post("/v1/jobs/validate", SPEC).json()["seconds_per_epoch"] == 1.235
        other = {**SPEC, "training": {"batch_size": 8}}
        assert service.post("/v1/jobs/validate", other).json()["seconds_per_epoch"] is None

    def test_fewer_images_of_another_set_take_their_share(self, service: Service) -> None:
        made = {"image_size": 16, "channels": 3, "train": 400, "validation": 100, "test": 100}
        lease = service.start_job(dataset={**made, "name": "synthetic"})
        service.record(lease, latest={"seconds": 7.0})
        service.succeed(lease)
        half = {**made, "name": "digits", "train": 200, "validation": 50}

        def said(**changes: Any) -> float | None:
            spec = {**SPEC, "dataset": half, **changes}
            return service.post("/v1/jobs/validate", spec).json()["seconds_per_epoch"]

        assert said() == 3.5
        assert said(regularizers={"vat": True}) is None
        assert said(dataset={**half, "image_size": 8}) is None

    def test_it_finds_the_same_faults_as_a_submission(self, service: Service) -> None:
        answer = service.post("/v1/jobs/validate", {"dataset": "digit"})
        assert answer.status_code == 422
        assert {one["pointer"] for one in answer.json()["errors"]} == set(
            service.faults({"dataset": "digit"})
        )


def test_the_queue_s_positions_follow_priority_then_age(service: Service) -> None:
    ids = {name: service.submit(priority=name) for name in ("low", "normal", "high")}
    wanted = [ids["high"], ids["normal"], ids["low"]]

    def positions() -> bool:
        return [service.job(one)["queue_position"] for one in wanted] == [1, 2, 3]

    service.wait_until(positions, "the order, at most 2 s old")
    assert service.claim().job_id == ids["high"]
    assert service.job(ids["high"])["queue_position"] is None


def test_tags_are_rows_too(service: Service) -> None:
    job_id = service.submit(tags={"a": "1", "b": ""})
    with service.database.read() as connection:
        rows = connection.execute(sa.select(tables.tags)).all()
    assert sorted(tuple(row) for row in rows) == [(job_id, "a", "1"), (job_id, "b", "")]
