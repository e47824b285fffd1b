"""How soon a job takes its first step, and how soon a cancelled job's memory is free."""

import statistics
import time
from collections.abc import Iterator

from benchmarks.boxes import Box, started
from benchmarks.gpu import card
from benchmarks.gpu.jobs import at, cancel, wait_for_event, wait_until
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject

PART = "latency"
#: An idle box has its next spare by then, and the spare has set up the GPU.
SPARE_SECONDS = 9.0


def measure(subject: Subject) -> Iterator[Result]:
    """Yield the seconds from submission to the first step, and from cancel to free memory."""
    with started() as box:
        box.finish(box.submit(_short(subject))["id"])  # the data are cached from here on
        with_spare: list[float] = []
        times: dict[str, float] = {}
        for _ in range(subject.rounds):
            time.sleep(SPARE_SECONDS if subject.is_gpu else 4)
            times = _timeline(box, subject)
            with_spare.append(times["first_step"])
        yield Result(
            PART,
            "submission to first step, with a spare",
            statistics.median(with_spare),
            "s",
            target="≤ 0.5",
            note=f"{_spread(with_spare)}; the last: {_listed(times)}",
        )
        # The last job took the spare, and the next is still importing torch.
        without = _first_step_seconds(box, subject)
        yield Result(PART, "submission to first step, without a spare", without, "s")
        if subject.is_gpu:
            yield from _cancel(box, subject)


def _short(subject: Subject) -> dict[str, object]:
    return {**subject.spec(train=320, epochs=1), "diagnostics": "off"}


def _first_step_seconds(box: Box, subject: Subject) -> float:
    return _timeline(box, subject)["first_step"]


def _timeline(box: Box, subject: Subject) -> dict[str, float]:
    """Return the seconds from the submission of a short job to its first event of each kind."""
    began = time.time()
    job_id = box.submit(_short(subject))["id"]
    box.finish(job_id)
    times: dict[str, float] = {}
    for event in box.events(job_id):
        kind = event["type"]
        if kind == "state":
            kind = str(event["data"].get("state"))
        times.setdefault(kind, at(event) - began)
    return times


def _cancel(box: Box, subject: Subject) -> Iterator[Result]:
    """Yield the seconds from the request to cancel until the card is as free as before."""
    seconds = []
    for _ in range(3):
        before = card.used_mib()
        job_id = box.submit(subject.endless_spec())["id"]
        wait_for_event(box, job_id, "first_step")
        began = time.perf_counter()
        cancel(box, job_id)
        wait_until(lambda: card.used_mib() <= before + card.SLACK_MIB, seconds=15, what="freeing")  # noqa: B023
        seconds.append(time.perf_counter() - began)
    yield Result(
        PART,
        "cancel until the memory is free",
        statistics.median(seconds),
        "s",
        target="≤ 2.5",
        note=_spread(seconds),
    )


def _listed(times: dict[str, float]) -> str:
    return ", ".join(f"{kind} {seconds:.2f}" for kind, seconds in times.items())


def _spread(values: list[float]) -> str:
    return f"{min(values):.3g}–{max(values):.3g}, n = {len(values)}"
