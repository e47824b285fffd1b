"""The lecture's network as a job: against a bare loop, and against the card's limit."""

import statistics
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.bare_loop import DTYPES, bare_epochs, photographs, vgg_small
from benchmarks.boxes import Box, started
from benchmarks.gpu import card
from benchmarks.gpu.experiments import epoch_seconds, experiment
from benchmarks.gpu.jobs import epoch_rate
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import CHANNELS, IMAGE_SIZE, Subject
from benchmarks.gpu.work import work_per_image

PART = "training"
#: The bare loop's; a host that launches the small network's kernels slowly takes longer.
MAX_EPOCH_SECONDS = 2.0
#: Images of the loop that estimates the seconds of an epoch.
PROBE = 3200
PRECISIONS = ("float32", "bfloat16", "float16")


def measure(subject: Subject) -> Iterator[Result]:
    """Yield the speed of jobs in each precision, next to a bare loop's and the card's limit."""
    images, labels = photographs(subject.train)
    subject = _fitting(subject, images, labels)
    images, labels = images[: subject.train], labels[: subject.train]
    # A job evaluates the validation split, and as many training images for the gap.
    held_out = images[: 2 * subject.validation], labels[: 2 * subject.validation]
    torch.backends.cudnn.benchmark = True  # as a job without `deterministic`
    with started() as box:
        # A CPU emulates float16, which says nothing and takes minutes.
        for precision in PRECISIONS if subject.is_gpu else PRECISIONS[:1]:
            job, stepping = _job_rates(box, subject, precision)
            rates = bare_epochs(
                images,
                labels,
                epochs=3,
                precision=precision,
                validation=held_out,
                device=subject.device,
            )
            bare = statistics.harmonic_mean(rates[1:])
            name = f"{precision}: seconds per epoch of {subject.train} images"
            yield Result(PART, name, subject.train / job, "s")
            yield Result(
                PART,
                f"{precision}: images per second / bare loop",
                job / bare,
                target="≥ 0.97",
                note=f"{job:.0f} / {bare:.0f}; {stepping:.0f} without validation and checkpoints",
            )
            if subject.is_gpu:
                yield _against_limit(job, precision)
        yield _fit_alone(box, subject)


def _fitting(subject: Subject, images: Tensor, labels: Tensor) -> Subject:
    """Return the subject with so many images that an epoch takes a few seconds on a slow host."""
    rates = bare_epochs(images[:PROBE], labels[:PROBE], epochs=2, device=subject.device)
    train = min(subject.train, int(rates[-1] * MAX_EPOCH_SECONDS))
    return replace(subject, train=train, validation=min(subject.validation, train // 5))


def _job_rates(box: Box, subject: Subject, precision: str) -> tuple[float, float]:
    """Return a job's images per second over whole epochs but the first, and in its last steps."""
    spec = subject.spec(precision=precision, deterministic=False)
    job = box.finish(box.submit(spec)["id"])
    return epoch_rate(box, job["id"], subject.train), job["metrics"]["images_per_second"]


def _fit_alone(box: Box, subject: Subject) -> Result:
    """Return the speed of `fit` in this process, which has no runner around it."""
    training = experiment(box, subject.spec(deterministic=False, epochs=3), subject.device)
    seconds = list(epoch_seconds(training))[1:]
    rate = subject.train / statistics.mean(seconds)
    return Result(PART, "float32: images per second of fit() without a runner", rate, "1/s")


def _against_limit(rate: float, precision: str) -> Result:
    """Return the fraction of the speed that arithmetic or memory traffic alone would allow."""
    dtype = DTYPES.get(precision, torch.float32)
    with torch.device("meta"):
        network = vgg_small(CHANNELS, IMAGE_SIZE)
    shape = (CHANNELS, IMAGE_SIZE, IMAGE_SIZE)
    operations, traffic = work_per_image(network, shape, dtype, batch_size=32)
    by_arithmetic = card.peak_flops(dtype) / operations
    by_traffic = card.bandwidth() / traffic
    return Result(
        PART,
        f"{precision}: images per second / the card's limit",
        rate / min(by_arithmetic, by_traffic),
        note=f"{operations / 1e6:.0f} MFLOP and {traffic / 1e6:.1f} MB an image: "
        f"{by_arithmetic:.3g}/s by arithmetic, {by_traffic:.3g}/s by memory traffic",
    )
