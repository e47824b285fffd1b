"""The API over a real database, without a worker: tests do what a worker would."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import sqlalchemy as sa
import uvicorn

from api.app import create_app
from api.http.server import options
from shared import tables
from shared.database import Database
from shared.ids import new_id
from shared.jobs import attempts
from shared.jobs.attempts import Lease
from shared.jobs.recording import Batch, CheckpointRow, MetricRow, record
from shared.settings import Settings
from shared.sidecar import listen
from shared.storage import Storage

KEY = "a key of more than twenty characters"
SPEC: dict[str, Any] = {"dataset": "digits", "architecture": "mlp"}
#: Far more than anything takes, also on a machine that is slow and loaded.
PATIENCE_SECONDS = 60.0
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class SidecarServer(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Speaks the sidecar's wire and says what the test wants."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.socket = listen(address)
        super().__init__(self.socket.getsockname(), _Answer)
        self.asked: list[dict[str, Any]] = []
        self.say: Callable[[dict[str, Any]], dict[str, Any]] = agreeable

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> Any:
        return self.socket.accept()

    def shutdown_request(self, request: Any) -> None:
        request.close()


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sidecar: Any = self.server
        line = self.rfile.readline()
        if line:
            question = orjson.loads(line)
            sidecar.asked.append(question)
            self.wfile.write(orjson.dumps(sidecar.say(question)) + b"\n")


def agreeable(question: dict[str, Any]) -> dict[str, Any]:
    """A sidecar that finds nothing wrong."""
    if question["ask"] == "preview":
        return {"ok": True, "png": ""}
    counted = {"trainable": 1234, "with_statistics": 1240}
    memory = {"memory_mib": 7.5} if "batch_size" in question else {}
    return {"ok": True, "parameter_count": counted, **memory}


@dataclass
class Service:
    """A running API, and the hands of a worker."""

    settings: Settings
    database: Database
    sidecar: SidecarServer
    app: Any
    client: httpx.Client
    storage: Storage = field(init=False)

    def __post_init__(self) -> None:
        self.storage = Storage(self.settings.storage)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send JSON, or bytes as they are."""
        given = {"Content-Type": "application/json", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=b"" if body is None else content, headers=given)

    def submit(self, **changes: Any) -> str:
        """A job that waits; its id."""
        answer = self.post("/v1/jobs", {**SPEC, **changes})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()

    def faults(self, spec: Any) -> dict[str, str]:
        """What is wrong with a specification, by pointer; nothing was written."""
        before = self.rows()
        answer = self.post("/v1/jobs", spec)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert self.rows() == before
        return {one["pointer"]: one["detail"] for one in answer.json()["errors"]}

    def rows(self) -> dict[str, int]:
        """How many rows each table of jobs has."""
        counted = (tables.jobs, tables.events, tables.tags, tables.idempotency)
        with self.database.read() as connection:
            return {
                table.name: connection.execute(
                    sa.select(sa.func.count()).select_from(table)
                ).scalar_one()
                for table in counted
            }

    def claim(self) -> Lease:
        """What a worker does first: take the best job that waits."""
        with self.database.write() as connection:
            claimed = attempts.claim(
                connection, worker="w", host="h", device="cpu:0", devices=["cpu:0"], gpus=1
            )
        assert claimed is not None
        return claimed.lease

    def running(self, **changes: Any) -> Lease:
        """A job that runs."""
        self.submit(**changes)
        return self.claim()

    def record(self, lease: Lease, **batch: Any) -> None:
        with self.database.write() as connection:
            record(connection, lease, Batch(**batch))

    def succeed(self, lease: Lease, **result: Any) -> None:
        with self.database.write() as connection:
            attempts.succeed(connection, lease, result)

    def stop(self, lease: Lease) -> None:
        """The runner is gone without having finished."""
        with self.database.write() as connection:
            attempts.stop(connection, lease, "worker_lost")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(0.02)
        return found


def metric(name: str, step: int, value: float, **changes: Any) -> MetricRow:
    """One point of a metric."""
    split = "validation" if name.startswith("val_") else "train"
    given: dict[str, Any] = {"name": name, "split": split, "stage": "training", "step": step}
    given |= {"epoch": step // 10, "value": value, "at": AT}
    return MetricRow(**{**given, **changes})


def checkpoint(kind: str, step: int = 10, **changes: Any) -> CheckpointRow:
    """One checkpoint; no file is made."""
    given: dict[str, Any] = {"id": new_id("ckpt"), "kind": kind, "monitor": None, "mode": None}
    given |= {"value": None, "stage": "training", "epoch": 1, "step": step, "directory": "none"}
    given |= {"bytes": 3, "sha256": "0" * 64, "created_at": AT}
    return CheckpointRow(**{**given, **changes})


@contextlib.contextmanager
def serving(database_url: str, home: Path) -> Iterator[Service]:
    """The API in a thread, on a port of its own, with a broker that does not answer."""
    settings = Settings(
        home=home,
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        admin_key=KEY,  # pyright: ignore[reportArgumentType]
    )
    settings.make_directories()
    sidecar = SidecarServer(settings.sidecar)
    threading.Thread(target=sidecar.serve_forever, args=(0.02,), daemon=True).start()
    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(uvicorn.Config(app, **options(settings)))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    database = Database(database_url)
    with httpx.Client(
        base_url=address,
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=2 * PATIENCE_SECONDS,  # also for a wait of a minute
        # Less than the server's: a connection that it is just closing would be reset.
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
