"""The event files of a job on a real box, read by TensorBoard."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import TIMEOUT_SECONDS, EmbeddedBox, free_port, wait_until
from trainshed import Client

pytestmark = pytest.mark.e2e

SPEC = {
    "dataset": {"name": "digits", "train": 256, "validation": 64, "test": 64},
    "architecture": {"name": "vgg_small", "widths": [4, 8], "hidden_units": [16]},
    "training": {"epochs": 2},
    "tracking": {"tensorboard": True},
}


@contextmanager
def _tensorboard(directory: Path) -> Iterator[httpx.Client]:
    """Start TensorBoard on a directory and yield a client of its pages."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(directory)]
    command += ["--host", "127.0.0.1", "--port", str(free_port()), "--load_fast=false"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        lines: list[str] = []
        url = None
        while url is None and (line := server.stderr.readline()):
            lines.append(line)
            url = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert url is not None, "".join(lines)
        with httpx.Client(base_url=url[0], timeout=TIMEOUT_SECONDS) as client:
            yield client
    finally:
        server.terminate()
        server.communicate(timeout=TIMEOUT_SECONDS)


def _scalars(pages: httpx.Client) -> dict[str, Any]:
    """Return the scalar tags by run, as far as TensorBoard has read the files."""
    return pages.get("/data/plugin/scalars/tags").json()


def _files(client: Client, job: str) -> zipfile.ZipFile:
    answer = client.http.get(f"/v1/jobs/{job}/tensorboard")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def test_tensorboard_shows_the_event_files_of_a_job(box: EmbeddedBox, tmp_path: Path) -> None:
    with box.client() as client:
        job = client.wait(client.submit(SPEC)["id"], timeout_seconds=TIMEOUT_SECONDS)
        assert job["state"] == "succeeded", job["failure"]
        _files(client, job["id"]).extractall(tmp_path)
        series = client.metrics(job["id"], name="val_loss")
    with _tensorboard(tmp_path) as pages:
        # The test metrics come last: once they appear, everything has been read.
        wait_until(
            lambda: "accuracy/test_accuracy" in _scalars(pages).get(job["id"], {}), "the run"
        )
        assert set(_scalars(pages)) == {job["id"]}
        assert "loss/val_loss" in _scalars(pages)[job["id"]]
        query = {"run": job["id"], "tag": "loss/val_loss"}
        points = pages.get("/data/plugin/scalars/scalars", params=query).json()
        histograms = pages.get("/data/plugin/histograms/tags").json()[job["id"]]
        images = pages.get("/data/plugin/images/tags").json()[job["id"]]
        graph = pages.get("/data/plugin/graphs/graph", params={"run": job["id"]}).text
    (curve,) = series
    assert [(step, value) for _, step, value in points] == [
        (point["step"], pytest.approx(point["value"], rel=1e-6)) for point in curve["points"]
    ]
    assert {"weights/block1.conv1.weight", "gradients/block1.conv1.weight"} <= set(histograms)
    assert set(images) == {"first_layer/block1.conv1.weight"}
    assert "block1/conv1/convolution" in graph


def _is_past(client: Client, job: str, *, epoch: int) -> bool:
    return (client.get(job)["progress"] or {}).get("epoch", 0) > epoch


def test_event_files_can_be_downloaded_while_the_job_is_running(box: EmbeddedBox) -> None:
    with box.client() as client:
        job = client.submit({**SPEC, "training": {"epochs": 1000}})["id"]
        for number in range(3):
            wait_until(partial(_is_past, client, job, epoch=number + 1), "the next epoch")
            (name,) = _files(client, job).namelist()
        client.cancel(job)
        client.wait(job, timeout_seconds=TIMEOUT_SECONDS)
        assert name.startswith(f"{job}/events.out.tfevents.")


def test_a_job_without_event_files_is_404_with_how_to_request_them(box: EmbeddedBox) -> None:
    with box.client() as client:
        spec = {**SPEC, "tracking": {"tensorboard": False}, "training": {"epochs": 1}}
        job = client.wait(client.submit(spec)["id"], timeout_seconds=TIMEOUT_SECONDS)
        answer = client.http.get(f"/v1/jobs/{job['id']}/tensorboard")
        missing = client.http.get("/v1/jobs/job_01h/tensorboard")
    assert answer.status_code == 404
    assert '"tracking": {"tensorboard": true}' in answer.json()["detail"]
    assert missing.status_code == 404
