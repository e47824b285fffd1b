"""`python -m trainshed.demo`: a real network learns real images, watched through the API."""

import re
import signal
import sys
import time
from typing import Any

from rich.console import Console

from trainshed import show, show_results
from trainshed.client import Client
from trainshed.exit_codes import guarded
from trainshed.formatting import percent
from trainshed.live import live

Json = dict[str, Any]

SPEC: Json = {
    "name": "demo",
    "dataset": {
        "name": "fashion-mnist",
        "train": 5000,
        "validation": 5000,
        "test": 10_000,
        "image_size": 32,
        "channels": 3,
    },
    "architecture": "vgg_small",
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True},
    "training": {"epochs": 2, "batch_size": 32},
}
WITH_A_GPU: Json = {"train": 55_000, "validation": 5000, "test": 10_000}
DIGITS: Json = {"name": "digits", "image_size": 32, "channels": 3}
#: Ctrl-C, whoever ends processes, and the end of the terminal.
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo against the box here; 0 if the network was trained."""
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    console = show.make_console()
    with Client() as client:
        spec = _for_the_device(client)
        console.rule("A job, through the HTTP API")
        described = client.validate(spec)
        count = described["parameter_count"]["trainable"]
        data = described["spec"]["dataset"]
        console.print(
            f"vgg_small, {count:,} parameters; {data['name']}: {data['train']:,} images to learn "
            f"from, {data['validation']:,} to choose by, {data['test']:,} to test on"
        )
        job = _watched(console, client, spec)
        if job["state"] == "failed" and job["failure"]["kind"] == "dataset_missing":
            show.failure(console, job)
            console.print("Fashion-MNIST cannot be had here: the small digits are taken instead.")
            spec = {**spec, "dataset": DIGITS}
            job = _watched(console, client, spec)
        if job["state"] != "succeeded":
            show.failure(console, job)
            return 1
        _results(console, client, job)
    return 0


def _watched(console: Console, client: Client, spec: Json) -> Json:
    """Submit and watch to the end; a demo that is interrupted leaves no job behind."""
    job_id = client.submit(spec)["id"]
    try:
        return live(console, client, job_id)
    except BaseException:  # Ctrl-C, a pipe or a terminal that is gone
        # The box tells us once more what the terminal has told us: it would not get so far.
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        client.cancel(job_id)
        raise


def _for_the_device(client: Client) -> Json:
    """The whole data set where a GPU is, a small part of it on a CPU."""
    metrics = client.http.get("/metrics").text
    found = re.search(r'^trainshed_devices\{kind="cuda"\} (\S+)$', metrics, re.MULTILINE)
    if found is None or float(found[1]) == 0:
        return SPEC
    return {**SPEC, "dataset": SPEC["dataset"] | WITH_A_GPU, "training": {"epochs": 10}}


def _results(console: Console, client: Client, job: Json) -> None:
    answer = client.top_k(job["id"], limit=8)
    best = answer["checkpoints"][0]
    console.rule("What it learned")
    console.print(f"test accuracy {percent(best['accuracy'])} ({best['name']})")
    show_results.results(console, answer)
    console.print("What the best checkpoint says of a few test images:")
    show_results.samples(console, answer)
    console.rule("Where to look")
    run = _mlflow_run(client, job["id"]) or "on its way"
    console.print(f"MLflow run {run}: `make mlflow` shows its pages")
    console.print(f"API documentation {client.url}/docs while the box is up")
    console.print(f"again, with the box up: .venv/bin/trainshed show {job['id']}")


def _mlflow_run(client: Client, job_id: str) -> str | None:
    """The run's id; its process follows the database within a second or two."""
    for _ in range(50):
        found = client.get(job_id)["mlflow_run_id"]
        if found is not None:
            return found
        time.sleep(0.1)
    return None


if __name__ == "__main__":
    sys.exit(guarded(main))
