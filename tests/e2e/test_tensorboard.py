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
    "name": "digits",
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
        runs = {split: f"digits-{job['id']}/{split}" for split in ("train", "validation", "test")}
        wait_until(lambda: {*runs.values()} == {*_scalars(pages)}, "the runs")
        assert all("loss" in tags for tags in _scalars(pages).values()), "three curves in a chart"
        query = {"run": runs["validation"], "tag": "loss"}
        points = pages.get("/data/plugin/scalars/scalars", params=query).json()
        histograms = pages.get("/data/plugin/histograms/tags").json()[runs["train"]]
        images = pages.get("/data/plugin/images/tags").json()[runs["train"]]
        graph = pages.get("/data/plugin/graphs/graph", params={"run": runs["train"]}).text
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
            names = _files(client, job).namelist()
        client.cancel(job)
        client.wait(job, timeout_seconds=TIMEOUT_SECONDS)
        runs = [name.rpartition("/")[0] for name in names]
        assert runs == [f"digits-{job}/{run}" for run in ("train", "train", "validation")]


def test_the_curves_of_any_finished_job_are_exported(box: EmbeddedBox, tmp_path: Path) -> None:
    with box.client() as client:
        spec = {**SPEC, "tracking": {"tensorboard": False}, "training": {"epochs": 1}}
        job = client.wait(client.submit(spec)["id"], timeout_seconds=TIMEOUT_SECONDS)
        client.tensorboard(job["id"], tmp_path)
        missing = client.http.get("/v1/jobs/job_01h/tensorboard")
    runs = {path.parent.name for path in tmp_path.rglob("events.*")}
    assert runs == {"train", "validation", "test"}
    assert missing.status_code == 404
