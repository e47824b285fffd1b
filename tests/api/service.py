"""A running API over a real database with a fake sidecar; the test does a worker's part."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn

from api.app import create_app
from api.http.server import options
from shared import tables
from shared.database import Database
from shared.ids import new_id
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, NewCheckpoint, NewMetric, record
from shared.settings import Settings
from shared.storage import Storage
from tests.fakes.sidecar import FakeSidecar
from tests.shared.claiming import claim

KEY = "a key of more than twenty characters"
SPEC: dict[str, Any] = {"dataset": "digits", "architecture": "mlp"}
#: Far more than any wait takes, even on a slow and loaded machine.
TIMEOUT_SECONDS = 60.0
RECORDED_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


@dataclass
class Service:
    """A running API, with what a worker would do to its jobs as methods."""

    settings: Settings
    database: Database
    sidecar: FakeSidecar
    app: Any
    client: httpx.Client
    storage: Storage = field(init=False)

    def __post_init__(self) -> None:
        self.storage = Storage(self.settings.storage)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Post a value as JSON, or bytes unchanged."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            path,
            content=b"" if body is None else content,
            headers={"Content-Type": "application/json", **headers},
        )

    def submit(self, **changes: Any) -> str:
        """Submit a job and return its id."""
        response = self.post("/v1/jobs", {**SPEC, **changes})
        assert response.status_code == 202, response.text
        return response.json()["id"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()

    def faults(self, spec: Any) -> dict[str, str]:
        """Submit a specification that must be refused; return its faults by pointer."""
        rows_before = self.rows()
        response = self.post("/v1/jobs", spec)
        assert response.status_code == 422, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert self.rows() == rows_before
        return {fault["pointer"]: fault["detail"] for fault in response.json()["errors"]}

    def rows(self) -> dict[str, int]:
        """Count the rows of each table that a submission writes to."""
        counted = (tables.jobs, tables.events, tables.tags, tables.idempotency)
        with self.database.read() as connection:
            return {
                table.name: connection.execute(
                    sa.select(sa.func.count()).select_from(table)
                ).scalar_one()
                for table in counted
            }

    def claim(self) -> Lease:
        """Claim the first job of the queue, as a worker does."""
        with self.database.write() as connection:
            claimed = claim(connection)
        assert claimed is not None
        return claimed.lease

    def start_job(self, **changes: Any) -> Lease:
        """Submit a job and claim it, so that it is running."""
        self.submit(**changes)
        return self.claim()

    def record(self, lease: Lease, **batch: Any) -> None:
        with self.database.write() as connection:
            record(connection, lease, Batch(**batch))

    def succeed(self, lease: Lease, **result: Any) -> None:
        with self.database.write() as connection:
            attempts.succeed(connection, lease, result)

    def stop(self, lease: Lease) -> None:
        """End the attempt like a runner that was lost."""
        with self.database.write() as connection:
            attempts.stop(connection, lease, "worker_lost")

    def wait_until(self, condition: Callable[[], Any], description: str) -> Any:
        """Poll until the condition is true, and return its value."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not (value := condition()):
            assert time.monotonic() < deadline, f"timed out waiting for {description}"
            time.sleep(0.02)
        return value


def metric_row(name: str, step: int, value: float, **changes: Any) -> NewMetric:
    """Return one point of a metric."""
    split = "validation" if name.startswith("val_") else "train"
    fields: dict[str, Any] = {"name": name, "split": split, "stage": "training", "step": step}
    fields |= {"epoch": step // 10, "value": value, "at": RECORDED_AT}
    return NewMetric(**{**fields, **changes})


def checkpoint_row(kind: str, step: int = 10, **changes: Any) -> NewCheckpoint:
    """Return a checkpoint; no file is written."""
    fields: dict[str, Any] = {"id": new_id("ckpt"), "kind": kind, "monitor": None, "mode": None}
    fields |= {"value": None, "stage": "training", "epoch": 1, "step": step, "directory": "none"}
    fields |= {"bytes": 3, "sha256": "0" * 64, "created_at": RECORDED_AT}
    return NewCheckpoint(**{**fields, **changes})


@contextlib.contextmanager
def serve(database_url: str, home: Path) -> Iterator[Service]:
    """Serve the API in a thread on a free port, with a broker that does not respond."""
    settings = Settings(
        home=home,
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        admin_key=KEY,  # pyright: ignore[reportArgumentType]
    )
    settings.make_directories()
    sidecar = FakeSidecar(settings.sidecar)
    threading.Thread(target=sidecar.serve_forever, args=(0.02,), daemon=True).start()
    app = create_app(settings)
    # The test writes to the database like a worker, and reads at once.
    app.state.services.responses.version.postgresql_seconds = 0.0
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(uvicorn.Config(app, **options(settings)))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    database = Database(database_url)
    with httpx.Client(
        base_url=address,
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=2 * TIMEOUT_SECONDS,  # a request may wait for a minute
        # Less than the server's: a connection that the server is closing would be reset.
        limits=httpx.Limits(keepalive_expiry=2),
    ) as client:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield Service(settings, database, sidecar, app, client)
        finally:
            server.should_exit = True
            thread.join(10)
            sidecar.shutdown()
            sidecar.socket.close()
            database.close()
            listening.close()
