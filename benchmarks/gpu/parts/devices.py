"""Whether jobs run on the card that they were given, one at a time."""

from collections.abc import Iterator

from benchmarks.boxes import Box, started
from benchmarks.gpu import card
from benchmarks.gpu.jobs import cancel, runner_pid, wait_for_event
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject

PART = "devices"


def measure(subject: Subject) -> Iterator[Result]:
    """Yield whether the card is used, also when it is named, and whether a second job waits."""
    with started() as box:
        first = box.submit(subject.endless_spec())["id"]
        second = box.submit(subject.endless_spec())["id"]
        wait_for_event(box, first, "first_step")
        uses_card = runner_pid(first) in card.compute_pids()
        name = "NVML lists the job's process on the card"
        yield Result(PART, name, float(uses_card), target="= 1", note=f"{card.compute_pids()}")
        yield _is(f"the job's device is {_device(box, first)}", _device(box, first) == "cuda:0")
        state = box.http.get(f"/v1/jobs/{second}").json()["state"]
        yield _is(f"the second job is {state}", state == "queued")
        cancel(box, second)
        cancel(box, first)
    uuid = card.find_card().uuid
    for visible in ("0", uuid):
        with started(CUDA_VISIBLE_DEVICES=visible) as box:
            job = box.finish(box.submit(subject.spec(train=320, epochs=1))["id"])
            device = _device(box, job["id"])
            yield _is(f"CUDA_VISIBLE_DEVICES={visible}: {device}", device == "cuda:0")


def _is(name: str, is_true: bool) -> Result:
    return Result(PART, name, float(is_true), target="= 1")


def _device(box: Box, job_id: str) -> str:
    return box.http.get(f"/v1/jobs/{job_id}").json()["attempts"][-1]["device"]
