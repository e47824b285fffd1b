"""A worker that is killed or stopped, and a broker that is lost or forged."""

import json
import os
import signal
import time
from contextlib import suppress
from typing import Any

import pytest
import redis

from shared.broker import QUEUE, RING_TASK, ring
from tests.box_driver import BoxDriver, is_alive
from tests.faults.conftest import LONG, SHORT, SPEC, STEPS_PER_EPOCH
from tests.faults.suspended_process import suspend, unsuspend
from worker.dispatch.next_spare import SPARE_DELAY_SECONDS

pytestmark = pytest.mark.faults


def _broker(box: BoxDriver) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(box.settings.sockets / "broker.sock"))


def _first_steps(box: BoxDriver, job_id: str) -> int:
    return sum(event.type == "first_step" for event in box.events(job_id))


def _adopted(box: BoxDriver) -> set[str]:
    return {line["job"] for line in box.log_lines("worker") if line["event"] == "runner adopted"}


def test_the_runner_of_a_killed_worker_is_adopted_and_repeats_no_step(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    runner = box.runner(job_id)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    suspend(box, runner)  # the worker may take longer to start than the job to end
    box.kill("worker")
    box.start("worker")
    box.wait_until(lambda: job_id in _adopted(box), "the adoption")
    assert is_alive(runner)
    assert box.job(job_id).state == "running"
    unsuspend(runner)
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [row.number for row in box.attempts(job_id)] == [1]
    assert _first_steps(box, job_id) == 1
    assert box.outcome(job_id) == undisturbed


@pytest.mark.long
def test_an_adopted_runner_can_be_cancelled_and_lost(box: BoxDriver) -> None:
    """It is no child of its new worker."""
    cancelled, killed = box.submit(LONG), box.submit(LONG)
    runners = {job_id: box.runner(job_id) for job_id in (cancelled, killed)}
    box.kill("worker")
    box.start("worker")
    box.wait_until(lambda: _adopted(box) >= set(runners), "both adopted")
    box.cancel(cancelled)
    os.kill(runners[killed], signal.SIGKILL)
    assert box.finish(cancelled).state == "cancelled"
    assert not is_alive(runners[cancelled])
    box.wait_until(lambda: len(box.attempts(killed)) == 2, "a second attempt")
    assert box.attempts(killed)[0].outcome == "worker_lost"
    box.cancel(killed)
    assert box.finish(killed).state == "cancelled"


@pytest.mark.long
def test_no_spare_is_started_while_every_cpu_slot_is_used(box: BoxDriver) -> None:
    """Importing torch would slow the running jobs down, and no slot is free for the spare."""
    jobs = {box.submit(LONG), box.submit(LONG)}
    box.wait_until(lambda: jobs <= set(box.runners().values()), "both run")
    started_at = time.monotonic()
    while time.monotonic() < started_at + 2 * SPARE_DELAY_SECONDS:
        assert set(box.runners().values()) == jobs
        time.sleep(0.1)
    first, second = jobs
    box.cancel(first)
    box.wait_until(lambda: "" in box.runners().values(), "a spare for the free slot")
    box.cancel(second)
    assert {box.finish(job_id).state for job_id in jobs} == {"cancelled"}


def test_a_job_whose_runner_is_killed_together_with_its_worker_is_resumed(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    runner = box.runner(job_id)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    box.kill("worker")
    os.kill(runner, signal.SIGKILL)
    box.start("worker")
    assert box.finish(job_id).state == "succeeded"
    assert len(box.attempts(job_id)) == 2
    assert box.outcome(job_id) == undisturbed


def test_a_drained_worker_leaves_a_checkpoint_of_the_last_step(
    box: BoxDriver, undisturbed: dict[str, Any]
) -> None:
    job_id = box.submit(SPEC)
    box.wait_until(lambda: box.last_step(job_id) > STEPS_PER_EPOCH, "an epoch")
    waiting = box.submit({**SPEC, "name": "waits"}, notify=False)
    assert box.end("worker") == 0
    job, step = box.job(job_id), box.last_step(job_id)
    assert job.state == "queued"
    assert box.attempts(job_id)[0].outcome == "drained"
    assert step >= box.step(job_id), "no step was lost"
    assert not any(box.runners().values()), "a job is still running"
    box.wait_until(lambda: not box.runners(), "the end of the spare")
    box.start("worker")
    assert box.finish(job_id).state == "succeeded"
    assert box.attempts(job_id)[1].first_step == step
    assert box.job(job_id).deaths == 0
    assert box.outcome(job_id) == undisturbed
    box.cancel(waiting)
    box.finish(waiting)


def test_two_workers_of_one_name_are_refused(box: BoxDriver) -> None:
    driver = BoxDriver(box.settings.home)
    driver.start("worker")
    process = driver._processes["worker"]
    try:
        assert process.wait(timeout=240) != 0
    finally:
        process.kill()
        driver.celery.close()
        driver.database.close()
    assert "TRAINSHED_WORKER_ID" in box.log("worker").read_text()


class TestBroker:
    def test_losing_all_of_its_data_loses_no_job(self, box: BoxDriver) -> None:
        box.end("worker")
        jobs = [box.submit(SHORT) for _ in range(3)]
        with _broker(box) as broker:
            assert broker.keys("*"), "the queue has messages"
            broker.flushall()
        box.start("worker")
        box.wait_until(lambda: box.job(jobs[0]).state == "succeeded", "the first job")
        with _broker(box) as broker:  # once more, while the worker consumes messages
            broker.flushall()
        jobs.append(box.submit(SHORT, notify=False))
        assert [box.finish(job_id).state for job_id in jobs] == ["succeeded"] * 4
        assert [len(box.attempts(job_id)) for job_id in jobs] == [1] * 4

    def test_without_it_jobs_run_and_the_worker_can_be_stopped(self, box: BoxDriver) -> None:
        box.kill("broker")
        try:
            job_id = box.submit(SHORT, notify=False)
            assert box.finish(job_id).state == "succeeded"
            assert box.end("worker") == 0
        finally:
            box.start("broker")

    def test_forged_messages_are_refused_and_counted(self, box: BoxDriver) -> None:
        box.wait_until(lambda: _is_consuming(box), "a worker that consumes messages")
        send = box.celery.send_task
        send(RING_TASK, args=(1,), queue=QUEUE)
        send(RING_TASK, kwargs={"spec": {"dataset": "digits"}}, queue=QUEUE)
        send("os.system", args=("true",), queue=QUEUE)
        with _broker(box) as broker:
            key = f"trainshed:{QUEUE}"
            for message in (b"not even JSON", b"[]", b"{}", *map(_forged, FORGERIES)):
                broker.lpush(key, message)
        dropped = 3 + 3 + len(FORGERIES)
        log = box.log("worker")
        box.wait_until(lambda: f'"dropped": {dropped}' in log.read_text(), "all are counted")
        assert box.is_running("worker")
        ring(box.celery)
        assert box.finish(box.submit(SHORT)).state == "succeeded"
        assert box.is_running("worker")


def _is_consuming(box: BoxDriver) -> bool:
    with _broker(box) as broker, suppress(redis.ConnectionError):  # the broker may be starting
        return any("brpop" in client["cmd"] for client in broker.client_list())
    return False


#: Parts of a message that differ from the doorbell's. The first body is a pickle of `exit()`.
FORGERIES: tuple[dict[str, Any], ...] = (
    {"body": "Y2J1aWx0aW5zCmV4aXQKKHRSLg==", "content-type": "application/x-python-serialize"},
    {"body": "e30="},  # {}
    {"body": "W10="},  # []
    {"body": "bnVsbA=="},  # null
    {"body": "!"},
    {"headers": []},
    {"headers": None},
    {"headers": {"task": [], "id": "0"}},
    {"headers": {"task": RING_TASK}, "content-type": None},
    {"properties": []},
    {"properties": {"delivery_tag": [], "delivery_info": 0}},
)


def _forged(parts: dict[str, Any]) -> bytes:
    message = {
        "body": "W1tdLCB7fSwge31d",  # [[], {}, {}]
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": RING_TASK, "id": "0"},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": "0",
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "delivery_mode": 2,
            "delivery_tag": "0",
        },
    }
    return json.dumps(message | parts).encode()
