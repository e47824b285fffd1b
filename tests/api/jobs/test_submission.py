"""`POST /v1/jobs` and `POST /v1/jobs/validate`."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from shared import tables
from tests.api.service import SPEC, TIMEOUT_SECONDS, Service


class TestCreate:
    def test_answer_is_the_job_with_every_default(self, service: Service) -> None:
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

    def test_answer_without_another_read_is_what_a_read_shows(self, service: Service) -> None:
        spec = {**SPEC, "tags": {"a": "b"}, "training": {"batch_size": 60000}}
        answer = service.post("/v1/jobs", spec)
        shown = service.client.get(answer.headers["location"])
        answered, read = answer.json(), shown.json()
        assert answered["warnings"], "also what admission found odd"
        for job in (answered, read):
            job.pop("queue_position")  # which may be known later
        assert answered == read
        parts = [reply.headers["etag"].rpartition("-")[0] for reply in (answer, shown)]
        assert parts[0] == parts[1]

    def test_filled_specification_can_be_submitted_again(self, service: Service) -> None:
        first = service.job(service.submit(regularizers={"l2": 0.01, "dropout": True}))["spec"]
        assert first["regularizers"]["l2"] == {"weight": 0.01, "only": None}
        assert service.job(service.submit(**first))["spec"] == first

    def test_job_is_committed_before_the_answer(self, service: Service) -> None:
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

    def test_failed_commit_is_answered_with_503(self, service: Service) -> None:
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

    def test_request_does_not_wait_for_an_unreachable_broker(self, service: Service) -> None:
        began = time.monotonic()
        for _ in range(5):
            service.submit()
        assert time.monotonic() - began < 2 * 5, "a connection to the broker times out after 2 s"
        doorbell = service.app.state.services.doorbell
        service.wait_until(lambda: doorbell.failures, "a failed notification")

    def test_sidecar_is_requested_once_for_each_network(self, service: Service) -> None:
        service.submit()
        service.submit(seed=1, name="another")
        assert len(service.sidecar.requests) == 1
        service.app.state.services.sidecar._cache.cache_clear()
        service.submit(seed=2)
        assert len(service.sidecar.requests) == 1, "the answer is stored in the database"
        service.submit(architecture={"name": "mlp", "hidden_units": [7]})
        assert len(service.sidecar.requests) == 2

    def test_fault_of_the_sidecar_is_a_fault_of_the_specification(self, service: Service) -> None:
        fault = {"pointer": "/dataset/image_size", "detail": "is too small"}
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert service.faults(SPEC) == {"/dataset/image_size": "is too small"}

    def test_without_the_sidecar_only_known_networks_are_accepted(self, service: Service) -> None:
        service.submit()
        sidecar = service.app.state.services.sidecar
        address, sidecar.address = sidecar.address, "unix:///nowhere/at/all.sock"
        try:
            answer = service.post("/v1/jobs", {**SPEC, "architecture": "linear"})
            assert service.post("/v1/jobs", SPEC).status_code == 202, "this network is known"
        finally:
            sidecar.address = address
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert service.rows()["jobs"] == 2


class TestIdempotency:
    @pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
    def test_number_beyond_64_bits_is_stored_as_a_float(
        self, service: Service, headers: dict[str, str]
    ) -> None:
        optimizer = {"name": "sgd", "gradient_clipping": {"norm": 10**30}}
        answer = service.post("/v1/jobs", {**SPEC, "optimizer": optimizer}, **headers)
        assert answer.status_code == 202
        assert answer.json()["spec"]["optimizer"]["gradient_clipping"]["norm"] == 1e30

    def test_same_key_and_body_give_the_same_job(self, service: Service) -> None:
        first, second = (
            service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"}) for _ in range(2)
        )
        reordered = service.post(
            "/v1/jobs", dict(reversed(SPEC.items())), **{"Idempotency-Key": "k"}
        )
        assert first.json()["id"] == second.json()["id"] == reordered.json()["id"]
        assert service.rows()["jobs"] == 1

    def test_key_of_another_body_is_refused(self, service: Service) -> None:
        service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        answer = service.post("/v1/jobs", {**SPEC, "seed": 1}, **{"Idempotency-Key": "k"})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:trainshed:problem:idempotency-mismatch"
        assert service.rows()["jobs"] == 1

    def test_known_key_gives_its_job_even_if_the_body_is_no_longer_valid(
        self, service: Service
    ) -> None:
        fault = {"pointer": "/dataset/image_size", "detail": "is too small"}
        first = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        with service.database.write() as connection:
            connection.execute(sa.delete(tables.sidecar_responses))
        service.app.state.services.sidecar._cache.cache_clear()
        service.sidecar.respond = lambda _: {"ok": False, "faults": [fault]}
        assert service.post("/v1/jobs", SPEC).status_code == 422
        again = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        assert service.rows()["jobs"] == 1

    def test_hundred_concurrent_requests_with_a_key_make_one_job(self, service: Service) -> None:
        def submit(_: int) -> tuple[int, str]:
            answer = service.post("/v1/jobs", SPEC, **{"Idempotency-Key": "k"})
            return answer.status_code, answer.json()["id"]

        with ThreadPoolExecutor(32) as pool:
            answers = set(pool.map(submit, range(100)))
        assert len(answers) == 1, answers
        assert service.rows() == {"jobs": 1, "events": 1, "tags": 0, "idempotency": 1}

    @pytest.mark.parametrize("key", ["", "k" * 256, "a b", "\xfc"])
    def test_malformed_key_is_refused(self, service: Service, key: str) -> None:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        answer = service.client.post("/v1/jobs", json=SPEC, headers=headers)
        assert answer.status_code == 400
        assert service.rows()["jobs"] == 0


class TestValidate:
    def test_it_estimates_and_writes_nothing(self, service: Service) -> None:
        service.submit(priority="high")
        before = service.rows()
        answer = service.post("/v1/jobs/validate", SPEC)
        validation = answer.json()
        assert answer.status_code == 200
        assert validation["valid"] is True
        assert validation["parameter_count"] == {"trainable": 1234, "with_statistics": 1240}
        assert validation["device_memory_mib"] == 7.5
        assert validation["seconds_per_epoch"] is None
        assert validation["queue_position"] == 2
        assert validation["spec"]["training"]["batch_size"] == 32
        assert validation["warnings"] == []
        assert service.rows() == before

    def test_memory_is_requested_for_the_optimizers_of_all_stages(self, service: Service) -> None:
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

    def test_memory_is_requested_for_at_most_all_training_images(self, service: Service) -> None:
        for train, batch in ((24, 24), (64, 32)):
            dataset = {"name": "digits", "train": train, "validation": 8, "test": 8}
            spec = {**SPEC, "dataset": dataset, "training": {"batch_size": 32}}
            assert service.post("/v1/jobs/validate", spec).status_code == 200
            assert service.sidecar.requests[-1]["batch_size"] == batch

    def test_it_returns_the_warnings_that_the_job_carries(self, service: Service) -> None:
        odd = {"optimizer": {"name": "sgd", "learning_rate": 100}, "regularizers": {"l2": 1.0}}
        validation = service.post("/v1/jobs/validate", {**SPEC, **odd}).json()
        assert [warning["pointer"] for warning in validation["warnings"]] == [
            "/optimizer/learning_rate",
            "/regularizers/l2/weight",
        ]
        assert [{*warning} for warning in validation["warnings"]] == [
            {"pointer", "detail", "suggestion"}
        ] * 2
        submitted = service.post("/v1/jobs", {**SPEC, **odd}).json()
        assert submitted["warnings"] == validation["warnings"]
        assert service.job(submitted["id"])["warnings"] == validation["warnings"]
        listed = service.client.get("/v1/jobs").json()["data"]
        assert [job["warnings"] for job in listed] == [validation["warnings"]]
        assert service.job(service.submit())["warnings"] == []

    def test_it_reports_the_same_faults_as_a_submission(self, service: Service) -> None:
        answer = service.post("/v1/jobs/validate", {"dataset": "digit"})
        assert answer.status_code == 422
        assert {fault["pointer"] for fault in answer.json()["errors"]} == set(
            service.faults({"dataset": "digit"})
        )


def test_queue_positions_follow_priority(service: Service) -> None:
    ids = {name: service.submit(priority=name) for name in ("low", "normal", "high")}
    expected = [ids["high"], ids["normal"], ids["low"]]

    def positions() -> bool:
        return [service.job(job_id)["queue_position"] for job_id in expected] == [1, 2, 3]

    service.wait_until(positions, "positions in the order of priorities")
    assert service.claim().job_id == ids["high"]
    assert service.job(ids["high"])["queue_position"] is None


def test_each_tag_is_a_row(service: Service) -> None:
    job_id = service.submit(tags={"a": "1", "b": ""})
    with service.database.read() as connection:
        rows = connection.execute(sa.select(tables.tags)).all()
    assert sorted(tuple(row) for row in rows) == [(job_id, "a", "1"), (job_id, "b", "")]
