"""Lists, one job, waiting for it, ending and repeating it."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shared.errors import Failure
from shared.ids import new_id
from shared.jobs import attempts, queries
from shared.jobs.attempts import Lease
from tests.api.service import KEY, SPEC, TIMEOUT_SECONDS, Service, checkpoint_row


def _until_somebody_waits(service: Service, job_id: str) -> None:
    watcher = service.app.state.services.watcher
    service.wait_until(lambda: watcher._watched[job_id], "who waits")


class TestList:
    def test_newest_first_and_pages_join_without_gap_or_repeat(self, service: Service) -> None:
        ids = [service.submit() for _ in range(5)]
        found, after = [], {}
        for _ in range(10):
            page = service.client.get("/v1/jobs", params={"limit": 2, **after}).json()
            assert page["object"] == "list"
            found += [job["id"] for job in page["data"]]
            if not page["has_more"]:
                break
            after = {"after": page["data"][-1]["id"]}
        assert found == ids[::-1]

    def test_filters(self, service: Service) -> None:
        running = service.start_job(tags={"group": "vision", "n": "1"}).job_id
        other = service.submit(dataset="synthetic", tags={"group": "text"})

        def found(**params: str) -> list[str]:
            answer = service.client.get("/v1/jobs", params=params).raise_for_status()
            return [job["id"] for job in answer.json()["data"]]

        assert found(state="running") == [running]
        assert found(state="queued") == [other]
        assert found(dataset="synthetic") == [other]
        assert found(owner="admin") == [other, running]
        assert found(owner="nobody") == []
        assert found(tag="group") == [other, running]
        assert found(tag="group:vision") == [running]
        assert found(tag="group:vision", state="queued") == []
        assert found(sweep="sweep_x") == []
        assert found(tag="' OR 1=1 --") == []

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "limit=x", "state=asleep", "after=%00", "tag=%0a", "limit=1e2"],
    )
    def test_a_parameter_that_is_none_is_refused(self, service: Service, query: str) -> None:
        answer = service.client.get(f"/v1/jobs?{query}")
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("after", ["foo", "zzz", "job_", "user_" + "0" * 26, "job_" + "!" * 26])
    def test_a_cursor_that_is_no_place_in_the_list_is_refused(
        self, service: Service, after: str
    ) -> None:
        job_id = service.submit()
        for path in ("/v1/jobs", f"/v1/jobs/{job_id}/checkpoints", "/v1/weights"):
            answer = service.client.get(path, params={"after": after})
            assert answer.status_code == 400
            assert answer.headers["content-type"] == "application/problem+json"
            assert repr(after) in answer.json()["detail"]

    def test_a_cursor_of_a_job_that_is_gone_keeps_its_place(self, service: Service) -> None:
        older = service.submit()
        gone = new_id("job")
        service.submit()
        found = service.client.get("/v1/jobs", params={"after": gone}).json()["data"]
        assert [job["id"] for job in found] == [older]


class TestOne:
    @pytest.mark.parametrize(
        "job_id", ["x", "job_", "job_" + "!" * 26, "..%2f..", "job_" + "0" * 26, "ckpt_" + "0" * 26]
    )
    def test_an_id_of_nothing(self, service: Service, job_id: str) -> None:
        for path in ("", "/events", "/metrics", "/logs", "/checkpoints", "/artifacts", "/top-k"):
            assert service.client.get(f"/v1/jobs/{job_id}{path}").status_code == 404
        for path in ("/cancel", "/retry"):
            assert service.post(f"/v1/jobs/{job_id}{path}").status_code == 404

    def test_what_is_known_is_not_sent_again(self, service: Service) -> None:
        job_id = service.submit()
        service.wait_until(lambda: service.job(job_id)["queue_position"], "its position")
        first = service.client.get(f"/v1/jobs/{job_id}")
        known = {"If-None-Match": first.headers["etag"]}
        again = service.client.get(f"/v1/jobs/{job_id}", headers=known)
        assert (again.status_code, again.content) == (304, b"")
        service.claim()
        changed = service.client.get(f"/v1/jobs/{job_id}", headers=known)
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]

    def test_any_version_is_known_to_who_says_so(self, service: Service) -> None:
        answer = service.client.get(f"/v1/jobs/{service.submit()}", headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.content) == (304, b"")

    def test_waiting_ends_at_a_change_of_state(self, service: Service) -> None:
        job_id = service.submit()
        with ThreadPoolExecutor() as pool:
            began = time.monotonic()
            answer = pool.submit(service.client.get, f"/v1/jobs/{job_id}", params={"wait": 60})
            _until_somebody_waits(service, job_id)
            assert not answer.done()
            service.claim()
            assert answer.result().json()["state"] == "running"
        assert time.monotonic() - began < 60

    def test_waiting_with_what_is_known_ends_at_any_change(self, service: Service) -> None:
        lease = service.start_job()
        at = f"/v1/jobs/{lease.job_id}"
        known = {"If-None-Match": service.client.get(at).headers["etag"]}
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(service.client.get, at, params={"wait": 60}, headers=known)
            _until_somebody_waits(service, lease.job_id)
            service.record(lease, latest={"train_loss": 1.0})
            assert answer.result().json()["metrics"] == {"train_loss": 1.0}

    def test_waiting_with_what_is_known_ends_at_another_place_in_the_queue(
        self, service: Service
    ) -> None:
        services = service.app.state.services
        ids = [service.submit() for _ in range(2)]
        services.order._read_at = float("-inf")
        at = f"/v1/jobs/{ids[1]}"
        first = service.client.get(at)
        assert first.json()["queue_position"] == 2
        known = {"If-None-Match": first.headers["etag"]}
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(service.client.get, at, params={"wait": 60}, headers=known)
            _until_somebody_waits(service, ids[1])
            assert service.claim().job_id == ids[0]
            services.order._read_at = float("-inf")
            assert answer.result().json()["queue_position"] == 1

    def test_waiting_ends_in_time(self, service: Service) -> None:
        job_id = service.submit()
        service.wait_until(lambda: service.job(job_id)["queue_position"], "its position")
        at = f"/v1/jobs/{job_id}"
        known = {"If-None-Match": service.client.get(at).headers["etag"]}
        began = time.monotonic()
        assert service.client.get(at, params={"wait": 0.4}).status_code == 200
        assert service.client.get(at, params={"wait": 0.4}, headers=known).status_code == 304
        assert time.monotonic() - began >= 0.8

    def test_nobody_waits_for_a_job_that_has_ended(self, service: Service) -> None:
        lease = service.start_job()
        service.succeed(lease)
        at = f"/v1/jobs/{lease.job_id}"
        began = time.monotonic()
        known = {"If-None-Match": service.client.get(at).headers["etag"]}
        assert service.client.get(at, params={"wait": 60}).status_code == 200
        assert service.client.get(at, params={"wait": 60}, headers=known).status_code == 304
        assert time.monotonic() - began < 60

    def test_a_wait_out_of_bounds_is_refused(self, service: Service) -> None:
        job_id = service.submit()
        for wait in ("61", "-1", "nan", "x"):
            answer = service.client.get(f"/v1/jobs/{job_id}", params={"wait": wait})
            assert answer.status_code == 422, wait

    def test_a_hundred_who_wait_hold_no_thread_and_no_connection(self, service: Service) -> None:
        job_id = service.submit()
        limits = httpx.Limits(max_connections=150)
        with (
            httpx.Client(
                base_url=service.client.base_url,
                headers={"Authorization": f"Bearer {KEY}"},
                limits=limits,
                timeout=2 * TIMEOUT_SECONDS,
            ) as client,
            ThreadPoolExecutor(100) as pool,
        ):
            waiting = [
                pool.submit(client.get, f"/v1/jobs/{job_id}", params={"wait": 60})
                for _ in range(100)
            ]
            services = service.app.state.services
            service.wait_until(
                lambda: services.watcher._watched[job_id] == 100, "a hundred who wait"
            )
            engine = services.database.engine
            service.wait_until(lambda: engine.pool.checkedout() <= 1, "free connections")
            assert client.get("/v1/jobs").status_code == 200, "others are served meanwhile"
            service.claim()
            states = {one.result().json()["state"] for one in waiting}
        assert states == {"running"}
        service.wait_until(lambda: not services.watcher._watched, "nobody to be watched for")


class TestProgress:
    def _beat(self, service: Service, lease: Lease) -> None:
        progress = {"stage": "training", "epoch": 7, "epochs": 8, "step": 103, "steps": 120}
        progress |= {"fraction": 0.86, "images_per_second": 500.0, "eta_seconds": 0.8}
        with service.database.write() as connection:
            attempts.record_heartbeat(connection, lease, pid=1, progress=progress)

    @pytest.mark.parametrize(("epochs", "steps"), [(8, 120), (7, 105)])
    def test_of_a_job_that_succeeded_is_at_its_end_also_where_it_stopped_early(
        self, service: Service, epochs: int, steps: int
    ) -> None:
        lease = service.start_job()
        self._beat(service, lease)
        assert service.job(lease.job_id)["progress"]["fraction"] == 0.86
        service.succeed(lease, epochs=epochs, steps=steps, stages={"training": "epochs"})
        assert service.job(lease.job_id)["progress"] == {
            "stage": "training",
            "epoch": epochs,
            "epochs": epochs,
            "step": steps,
            "steps": steps,
            "fraction": 1.0,
            "images_per_second": 500.0,
            "eta_seconds": 0.0,
        }

    def test_of_a_job_that_was_done_before_its_first_heartbeat(self, service: Service) -> None:
        lease = service.start_job()
        service.succeed(lease, epochs=1, steps=2, stages={"warm_up": "", "fine_tune": ""})
        found = service.client.get("/v1/jobs").json()["data"][0]["progress"]
        assert (found["stage"], found["fraction"], found["step"]) == ("fine_tune", 1.0, 2)

    def test_of_a_job_that_ended_otherwise_stands_where_it_was(self, service: Service) -> None:
        lease = service.start_job()
        self._beat(service, lease)
        failure = Failure(kind="crashed", message="", hint="")
        with service.database.write() as connection:
            attempts.fail(connection, lease, failure)
        found = service.job(lease.job_id)["progress"]
        assert (found["fraction"], found["step"], found["eta_seconds"]) == (0.86, 103, None)


class TestLinks:
    def test_to_event_files_where_they_were_asked_for(self, service: Service) -> None:
        assert "tensorboard" not in service.job(service.submit())["links"]
        job_id = service.submit(tracking={"tensorboard": True})
        at = f"/v1/jobs/{job_id}"
        assert service.job(job_id)["links"]["tensorboard"] == f"{at}/tensorboard"

    def test_of_a_repeated_job_lead_to_the_one_before(self, service: Service) -> None:
        job_id = service.submit(tracking={"tensorboard": True})
        assert "retry_of" not in service.job(job_id)["links"]
        service.post(f"/v1/jobs/{job_id}/cancel")
        job = service.post(f"/v1/jobs/{job_id}/retry").json()
        assert job["links"]["retry_of"] == f"/v1/jobs/{job_id}"
        assert job["links"]["tensorboard"] == f"/v1/jobs/{job['id']}/tensorboard"
        for link in (job["links"]["self"], job["links"]["retry_of"]):
            assert service.client.get(link).status_code == 200


class TestCancel:
    def test_a_job_that_waits_is_cancelled_at_once(self, service: Service) -> None:
        job_id = service.submit()
        answer = service.post(f"/v1/jobs/{job_id}/cancel")
        assert answer.status_code == 202
        assert answer.json()["state"] == "cancelled"
        assert answer.json()["finished_at"]

    def test_a_running_one_once_its_process_is_gone(self, service: Service) -> None:
        lease = service.start_job()
        first = service.post(f"/v1/jobs/{lease.job_id}/cancel").json()
        assert (first["state"], first["phase"]) == ("running", "cancelling")
        assert first["cancel_requested_at"]
        again = service.post(f"/v1/jobs/{lease.job_id}/cancel")
        assert again.status_code == 202
        assert again.json()["cancel_requested_at"] == first["cancel_requested_at"]
        service.stop(lease)
        assert service.job(lease.job_id)["state"] == "cancelled"
        assert service.post(f"/v1/jobs/{lease.job_id}/cancel").status_code == 202

    def test_a_hundred_at_once_are_one_wish(self, service: Service) -> None:
        lease = service.start_job()
        with ThreadPoolExecutor(32) as pool:
            codes = set(
                pool.map(
                    lambda _: service.post(f"/v1/jobs/{lease.job_id}/cancel").status_code,
                    range(100),
                )
            )
        assert codes == {202}
        page = service.client.get(f"/v1/jobs/{lease.job_id}/events").json()["data"]
        assert [one["type"] for one in page].count("cancel_requested") == 1

    def test_a_finished_one_says_what_cancel_takes(self, service: Service) -> None:
        lease = service.start_job()
        service.succeed(lease)
        answer = service.post(f"/v1/jobs/{lease.job_id}/cancel")
        assert answer.status_code == 409
        assert answer.json()["state"] == "succeeded"
        assert answer.json()["allowed"] == ["queued", "running", "paused"]


class TestRetry:
    def test_it_is_a_new_job_that_goes_on_from_the_last_checkpoint(self, service: Service) -> None:
        lease = service.start_job(name="again", seed=5)
        last = checkpoint_row("last")
        service.record(lease, checkpoints=[last])
        service.post(f"/v1/jobs/{lease.job_id}/cancel")
        service.stop(lease)
        answer = service.post(f"/v1/jobs/{lease.job_id}/retry")
        job = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
        assert job["retry_of"] == lease.job_id
        assert job["spec"] == service.job(lease.job_id)["spec"]
        assert service.claim().job_id == job["id"]
        with service.database.read() as connection:
            row = queries.get_job(connection, job["id"])
        assert row is not None
        assert row.resume_from == last.id

    @pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
    def test_only_of_what_failed_or_was_cancelled(self, service: Service, state: str) -> None:
        if state == "queued":
            job_id = service.submit()
        else:
            lease = service.start_job()
            job_id = lease.job_id
            if state == "succeeded":
                service.succeed(lease)
        before = service.rows()
        answer = service.post(f"/v1/jobs/{job_id}/retry")
        assert answer.status_code == 409
        assert answer.json()["allowed"] == ["failed", "cancelled"]
        assert service.rows() == before


def test_a_method_that_an_address_does_not_take(service: Service) -> None:
    for method, path in (("PUT", "/v1/jobs"), ("TRACE", "/v1/jobs"), ("DELETE", "/v1/catalog")):
        answer = service.client.request(method, path)
        assert answer.status_code == 405
        assert answer.json()["status"] == 405
    refused = service.client.delete("/v1/jobs")
    assert refused.headers["allow"] == "GET, POST"
    assert refused.json()["detail"] == "This address does not take DELETE; it takes GET, POST."
    assert service.client.get("/v1/nothing").status_code == 404
    override = {"X-HTTP-Method-Override": "DELETE"}
    job_id = service.submit()
    assert service.client.get(f"/v1/jobs/{job_id}", headers=override).status_code == 200
    assert SPEC["dataset"] == service.job(job_id)["spec"]["dataset"]["name"]
