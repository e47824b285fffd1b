import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from tests.fakes.http_service import JOB_ID, http_service, request_body, send

TIMEOUT_SECONDS = 60
DATASET = {"name": "digits", "train": 1, "validation": 1, "test": 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_demo_cancels_its_job_even_if_a_second_signal_comes(
    number: signal.Signals,
) -> None:
    is_following, is_cancelled = threading.Event(), threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/cancel"):
            demo.send_signal(signal.SIGINT)  # as the box does
            is_cancelled.set()
            send(handler, 202, b"{}")
        elif handler.path.endswith("/events"):
            is_following.set()
            is_cancelled.wait(TIMEOUT_SECONDS)
        else:
            if handler.command == "POST":
                request_body(handler)
            validation = {"parameter_count": {"trainable": 1}, "spec": {"dataset": DATASET}}
            send(
                handler,
                200,
                json.dumps({"id": JOB_ID, **validation}).encode(),
            )

    with http_service(respond) as client:
        demo = subprocess.Popen(
            (sys.executable, "-m", "trainshed.demo"),
            env=os.environ | {"TRAINSHED_URL": client.url, "TRAINSHED_ADMIN_KEY": "k" * 20},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            assert is_following.wait(TIMEOUT_SECONDS)
            demo.send_signal(number)
            _, errors = demo.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            demo.kill()
            has_cancelled = is_cancelled.is_set()
            is_cancelled.set()
    assert has_cancelled
    assert (demo.returncode, errors) == (130, b"")
