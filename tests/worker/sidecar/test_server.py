"""The sidecar's server: malformed requests, and a pool for each operation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import sidecar
from tests.worker.filled import parameters
from tests.worker.sidecar.test_pool import TIMEOUT_SECONDS, Waiting, start
from worker.sidecar import server
from worker.sidecar.pool import BUSY
from worker.sidecar.warm_up import warm_up

LINEAR: dict[str, Any] = {
    "operation": "describe",
    "architecture": {"name": "linear", **parameters("architectures", "linear")},
    "image": [1, 8, 8],
    "classes": 10,
}


def test_malformed_request_is_refused_and_not_fatal() -> None:
    response = server.respond({"operation": "describe"})
    assert response["faults"][0]["detail"].startswith("The request is malformed")


def test_pictures_leave_the_threads_of_networks_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waiting = Waiting()
    preview = replace(server.OPERATIONS["preview"], run=waiting)
    monkeypatch.setitem(server.OPERATIONS, "preview", preview)
    listening = sidecar.listen(f"unix://{tmp_path / 'sidecar.sock'}")
    try:
        running = server.SidecarServer(listening)
        pictures = running.pools["preview"]
        pictures._timeout_seconds = 0.05
        start(pictures, {"operation": "preview", "seed": 0}, waiting)
        for number in range(1, 8):
            assert pictures.respond({"operation": "preview", "seed": number}) == BUSY
        assert waiting.calls == 1, "one at a time"
        networks = running.pools["describe"]
        networks._timeout_seconds = TIMEOUT_SECONDS
        assert networks.respond(LINEAR)["ok"]
    finally:
        waiting.released.set()
        listening.close()


def test_warm_up_describes_every_small_architecture() -> None:
    warm_up()
