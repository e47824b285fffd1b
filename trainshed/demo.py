"""The client's part of `make demo`: train a real network on real images and show the results."""

import re
import signal
import sys
import time
from typing import Any

from rich.console import Console

from trainshed.client import Client
from trainshed.console import make_console
from trainshed.exit_codes import run_command
from trainshed.formatting import percent
from trainshed.job_tables import print_failure
from trainshed.live_progress import show_progress
from trainshed.result_tables import print_samples, print_top_k

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
SPLITS_ON_GPU: Json = {"train": 55_000, "validation": 5000, "test": 10_000}
DIGITS: Json = {"name": "digits", "image_size": 32, "channels": 3}
#: Ctrl-C, `kill`, and the end of the terminal.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo against the local box; return 0 if the network was trained."""
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    console = make_console()
    with Client() as client:
        spec = _spec_for_device(client)
        console.rule("A job through the HTTP API")
        validation = client.validate(spec)
        parameters = validation["parameter_count"]["trainable"]
        data = validation["spec"]["dataset"]
        console.print(
            f"vgg_small, {parameters:,} parameters; {data['name']}: {data['train']:,} training, "
            f"{data['validation']:,} validation and {data['test']:,} test images"
        )
        job = _run(console, client, spec)
        if job["state"] == "failed" and job["failure"]["kind"] == "dataset_missing":
            print_failure(console, job)
            console.print("Fashion-MNIST is not available here; the demo uses the small digits.")
            spec = {**spec, "dataset": DIGITS}
            job = _run(console, client, spec)
        if job["state"] != "succeeded":
            print_failure(console, job)
            return 1
        _print_results(console, client, job)
    return 0


def _run(console: Console, client: Client, spec: Json) -> Json:
    """Submit a job and follow it to its end; an interrupted demo cancels its job."""
    job_id = client.submit(spec)["id"]
    try:
        return show_progress(console, client, job_id)
    except BaseException:  # Ctrl-C, or a closed pipe or terminal
        # The box repeats the signal that the terminal has sent, which must not stop the request.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        client.cancel(job_id)
        raise


def _spec_for_device(client: Client) -> Json:
    """Return the specification: the whole data set for a GPU, a small part of it for a CPU."""
    metrics = client.http.get("/metrics").text
    gpus = re.search(r'^trainshed_devices\{kind="cuda"\} (\S+)$', metrics, re.MULTILINE)
    if gpus is None or float(gpus[1]) == 0:
        return SPEC
    return {**SPEC, "dataset": SPEC["dataset"] | SPLITS_ON_GPU, "training": {"epochs": 10}}


def _print_results(console: Console, client: Client, job: Json) -> None:
    top_k = client.top_k(job["id"], limit=8)
    best = top_k["checkpoints"][0]
    console.rule("Results")
    console.print(f"test accuracy {percent(best['accuracy'])} ({best['name']})")
    print_top_k(console, top_k)
    console.print("Predictions of the best checkpoint for some test images:")
    print_samples(console, top_k)
    console.rule("More")
    run_id = _mlflow_run_id(client, job["id"]) or "(not written yet)"
    console.print(f"MLflow run {run_id}: `make mlflow` shows it")
    link = client.login_link(f"/jobs/{job['id']}")
    console.print(f"Its page while the box runs (the link logs in once): {link}", soft_wrap=True)
    console.print(f"API documentation while the box runs: {client.url}/docs")
    console.print(f"This job while the box runs: .venv/bin/trainshed show {job['id']}")


def _mlflow_run_id(client: Client, job_id: str) -> str | None:
    """Return the run's id; tracking writes it within a second or two after the job's end."""
    for _ in range(50):
        run_id = client.get(job_id)["mlflow_run_id"]
        if run_id is not None:
            return run_id
        time.sleep(0.1)
    return None


if __name__ == "__main__":
    sys.exit(run_command(main))
