import io
import json
from http.server import BaseHTTPRequestHandler

import pytest
from rich.console import Console

from tests.fakes.http_service import JOB_ID, http_service, send
from trainshed.live_progress import show_progress

POSITION = {"stage": "training", "epoch": 1, "epochs": 2, "step": 157, "steps": 314}
PROGRESS = POSITION | {"fraction": 0.5, "images_per_second": 1234.5, "eta_seconds": 4.2}
EPOCH = {"epoch": 1, "epochs": 2, "metrics": {"val_loss": 0.7172, "val_accuracy": 0.787}}


def _event(kind: str, data: object, number: int | None = None) -> bytes:
    payload = data if number is None else {"id": number, "type": kind, "data": data}
    return f"event: {kind}\ndata: {json.dumps(payload)}\n\n".encode()


STOPPED = "stopped early at epoch 8 of 60: val_loss has not improved since epoch 5"


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("state", {"state": "succeeded", "text": STOPPED}, f"succeeded: {STOPPED}"),
        (
            "state",
            {"state": "cancelled", "text": "cancelled at epoch 3 of 20"},
            "cancelled at epoch 3 of 20",
        ),
        ("state", {"state": "queued", "reason": "drained"}, "queued (drained)"),
        ("stage_end", {"stage": "warm_up", "text": STOPPED}, f"stage warm_up: {STOPPED}"),
        ("note", {"text": "The last batch is left out."}, "note: The last batch is left out."),
    ],
)
def test_ends_and_notes_are_lines_of_text(kind: str, data: dict[str, str], line: str) -> None:
    events = _event(kind, data, 1) + _event("state", {"state": "succeeded"}, 2)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, events if handler.path.endswith("events") else b"{}")

    screen = io.StringIO()
    with http_service(respond) as client:
        show_progress(Console(file=screen, width=200), client, JOB_ID)
    assert line in screen.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 129, 160])
def test_bar_and_remaining_time_fit_on_the_terminal(width: int) -> None:
    events = _event("epoch", EPOCH, 1) + _event("progress", PROGRESS)
    events += _event("state", {"state": "succeeded"}, 2)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, events if handler.path.endswith("events") else b"{}")

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    with http_service(respond) as client:
        show_progress(console, client, JOB_ID)
    lines = [line for line in screen.getvalue().splitlines() if "training: epoch 1/2" in line]
    assert lines[-1].count("━") >= 10, lines[-1]  # half of the bar
    assert "50%" in lines[-1]
    assert "1,234 images/s · 0:04 left" in lines[-1]
    assert "…" not in lines[-1]


@pytest.mark.parametrize(("penalty", "is_shown"), [(1.5, True), (0.0, False)])
def test_with_a_penalty_an_epoch_shows_the_data_loss_too(penalty: float, is_shown: bool) -> None:
    metrics = {"val_loss": 0.25 + penalty, "val_data_loss": 0.25}
    events = _event("epoch", {"epoch": 1, "epochs": 1, "metrics": metrics}, 1)
    events += _event("state", {"state": "succeeded"}, 2)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, events if handler.path.endswith("events") else b"{}")

    screen = io.StringIO()
    with http_service(respond) as client:
        show_progress(Console(file=screen, width=200), client, JOB_ID)
    assert ("val_data_loss 0.2500" in screen.getvalue()) is is_shown
