"""Whoever watches a job on a terminal sees how far it is; whoever stops the demo stops its job."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from rich.console import Console

from tests.fakes.http_service import http_service, send
from trainshed.live import live

PATIENCE_SECONDS = 60
WHERE = {"stage": "training", "epoch": 1, "epochs": 2, "step": 157, "steps": 314}
PROGRESS = WHERE | {"fraction": 0.5, "images_per_second": 1234.5, "eta_seconds": 4.2}
EPOCH = {"epoch": 1, "epochs": 2, "metrics": {"val_loss": 0.7172, "val_accuracy": 0.787}}


def _event(kind: str, data: object, number: int | None = None) -> bytes:
    told = data if number is None else {"id": number, "type": kind, "data": data}
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n".encode()


@pytest.mark.parametrize("width", [80, 100, 129, 160])
def test_the_bar_and_the_time_that_is_left_are_seen_whole(width: int) -> None:
    happened = _event("epoch", EPOCH, 1) + _event("progress", PROGRESS)
    happened += _event("state", {"state": "succeeded"}, 2)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, happened if handler.path.endswith("events") else b"{}")

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    with http_service(answer) as client:
        live(console, client, "job_x")
    (*_, line) = (one for one in screen.getvalue().splitlines() if "training: epoch 1/2" in one)
    assert line.count("━") >= 10, line  # half of the bar
    assert "50%" in line
    assert "1,234 images/s · 0:04 left" in line
    assert "…" not in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_stopped_cancels_its_job_however_often_it_is_told(
    number: signal.Signals,
) -> None:
    is_watching, is_cancelled = threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/cancel"):
            demo.send_signal(signal.SIGINT)  # the box says it once more
            is_cancelled.set()
            send(handler, 202, b"{}")
        elif handler.path.endswith("/events"):
            is_watching.set()
            is_cancelled.wait(PATIENCE_SECONDS)
        else:
            if handler.command == "POST":
                handler.rfile.read(int(handler.headers["Content-Length"]))
            validated = {"parameter_count": {"trainable": 1}, "spec": {"dataset": DATASET}}
            send(handler, 200, json.dumps({"id": "job_x", **validated}).encode())

    with http_service(answer) as client:
        demo = subprocess.Popen(
            (sys.executable, "-m", "trainshed.demo"),
            env=os.environ | {"TRAINSHED_URL": client.url, "TRAINSHED_ADMIN_KEY": "k" * 20},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            assert is_watching.wait(PATIENCE_SECONDS)
            demo.send_signal(number)
            _, said = demo.communicate(timeout=PATIENCE_SECONDS)
        finally:
            demo.kill()
            is_cancelled_at_the_end = is_cancelled.is_set()
            is_cancelled.set()
    assert is_cancelled_at_the_end
    assert (demo.returncode, said) == (130, b"")


DATASET = {"name": "digits", "train": 1, "validation": 1, "test": 1}
