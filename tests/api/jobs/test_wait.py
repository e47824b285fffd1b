"""`GET /v1/jobs/{id}` with `If-None-Match` and `wait`."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.api.service import KEY, TIMEOUT_SECONDS, Service


def _wait_for_a_waiter(service: Service, job_id: str) -> None:
    watcher = service.app.state.services.watcher
    service.wait_until(lambda: watcher._waiting[job_id], "a request that waits")


def _expire_queue_order(service: Service) -> None:
    service.app.state.services.queue_order._read_at = float("-inf")


class TestETag:
    def test_current_version_is_not_sent_again(self, service: Service) -> None:
        job_id = service.submit()
        service.wait_until(lambda: service.job(job_id)["queue_position"], "its position")
        first = service.client.get(f"/v1/jobs/{job_id}")
        headers = {"If-None-Match": first.headers["etag"]}
        again = service.client.get(f"/v1/jobs/{job_id}", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        service.claim()
        changed = service.client.get(f"/v1/jobs/{job_id}", headers=headers)
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]

    def test_star_matches_any_version(self, service: Service) -> None:
        response = service.client.get(
            f"/v1/jobs/{service.submit()}", headers={"If-None-Match": "*"}
        )
        assert (response.status_code, response.content) == (304, b"")


class TestWait:
    def test_wait_ends_at_a_change_of_state(self, service: Service) -> None:
        job_id = service.submit()
        with ThreadPoolExecutor() as pool:
            began_at = time.monotonic()
            future = pool.submit(service.client.get, f"/v1/jobs/{job_id}", params={"wait": 60})
            _wait_for_a_waiter(service, job_id)
            assert not future.done()
            service.claim()
            assert future.result().json()["state"] == "running"
        assert time.monotonic() - began_at < 60

    def test_wait_with_an_etag_ends_at_any_change(self, service: Service) -> None:
        lease = service.start_job()
        address = f"/v1/jobs/{lease.job_id}"
        headers = {"If-None-Match": service.client.get(address).headers["etag"]}
        with ThreadPoolExecutor() as pool:
            future = pool.submit(service.client.get, address, params={"wait": 60}, headers=headers)
            _wait_for_a_waiter(service, lease.job_id)
            service.record(lease, latest={"train_loss": 1.0})
            assert future.result().json()["metrics"] == {"train_loss": 1.0}

    def test_wait_with_an_etag_ends_at_a_new_queue_position(self, service: Service) -> None:
        ids = [service.submit() for _ in range(2)]
        _expire_queue_order(service)
        address = f"/v1/jobs/{ids[1]}"
        first = service.client.get(address)
        assert first.json()["queue_position"] == 2
        headers = {"If-None-Match": first.headers["etag"]}
        with ThreadPoolExecutor() as pool:
            future = pool.submit(service.client.get, address, params={"wait": 60}, headers=headers)
            _wait_for_a_waiter(service, ids[1])
            assert service.claim().job_id == ids[0]
            _expire_queue_order(service)
            assert future.result().json()["queue_position"] == 1

    def test_wait_ends_after_the_requested_time(self, service: Service) -> None:
        job_id = service.submit()
        service.wait_until(lambda: service.job(job_id)["queue_position"], "its position")
        address = f"/v1/jobs/{job_id}"
        headers = {"If-None-Match": service.client.get(address).headers["etag"]}
        began_at = time.monotonic()
        params = {"wait": 0.4}
        assert service.client.get(address, params=params).status_code == 200
        assert service.client.get(address, params=params, headers=headers).status_code == 304
        assert time.monotonic() - began_at >= 0.8

    def test_finished_job_is_returned_at_once(self, service: Service) -> None:
        lease = service.start_job()
        service.succeed(lease)
        address = f"/v1/jobs/{lease.job_id}"
        began_at = time.monotonic()
        headers = {"If-None-Match": service.client.get(address).headers["etag"]}
        params = {"wait": 60}
        assert service.client.get(address, params=params).status_code == 200
        assert service.client.get(address, params=params, headers=headers).status_code == 304
        assert time.monotonic() - began_at < 60

    def test_invalid_wait_is_refused(self, service: Service) -> None:
        job_id = service.submit()
        for wait in ("61", "-1", "nan", "x"):
            response = service.client.get(f"/v1/jobs/{job_id}", params={"wait": wait})
            assert response.status_code == 422, wait

    def test_hundred_waiters_hold_no_thread_and_no_connection(self, service: Service) -> None:
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
            futures = [
                pool.submit(client.get, f"/v1/jobs/{job_id}", params={"wait": 60})
                for _ in range(100)
            ]
            services = service.app.state.services
            service.wait_until(lambda: services.watcher._waiting[job_id] == 100, "100 waiters")
            engine = services.database.engine
            service.wait_until(lambda: engine.pool.checkedout() <= 1, "free connections")
            assert client.get("/v1/jobs").status_code == 200, "others are served meanwhile"
            service.claim()
            states = {future.result().json()["state"] for future in futures}
        assert states == {"running"}
        service.wait_until(lambda: not services.watcher._waiting, "the end of the watch")
