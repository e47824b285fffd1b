"""People with keys who share a box with four simulated devices, in both forms of the box."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import postgresql_database
from tests.e2e.compose_file import ComposedBox, redis_server
from tests.e2e.conftest import EmbeddedBox, free_port, processes_of, wait_until
from tests.e2e.simulated_devices import NAMES, wait_for_device, write_devices
from trainshed import Client
from trainshed.event_stream import FINAL_STATES

#: Runs until it is cancelled, alone on a device, and often writes a checkpoint that stays.
LONG: dict[str, Any] = {
    "dataset": "digits",
    "architecture": {"name": "mlp", "hidden_units": [32]},
    "checkpoints": [{"every_epochs": 20}],
    "training": {"epochs": 100_000, "batch_size": 32},
    "resources": {"gpu_memory_mib": 3_000},
}


@dataclass
class Team:
    """A box, its admin, and people whom each test adds for itself."""

    url: str
    admin: Client
    devices_file: Path
    home: Path
    #: The names of the people of the present test, by what the test calls them.
    names: dict[str, str] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)

    def add(self, name: str, *, role: str = "member", scope: str = "submit") -> Client:
        """Add a person, who has not used the box yet; return a client with a key of theirs."""
        full_name = self.names.setdefault(name, f"{name}-{secrets.token_hex(3)}")
        if all(user["name"] != full_name for user in self.admin.users()):
            self.admin.add_user(full_name, role=role)
        made = self.admin.make_key("of a test", scopes=[scope], user=full_name)
        self.clients.append(Client(self.url, made["key"]))
        return self.clients[-1]

    def show(self, *names: str, foreign_mib: dict[str, int] | None = None) -> None:
        """Write the devices that exist, and the processes on them that are no jobs."""
        write_devices(self.devices_file, names, foreign_mib)

    def wait_for_spare(self) -> None:
        """Wait until a runner stands ready: it has started and computes nothing."""

        def is_ready() -> bool:
            before = _cpu_ticks(self.home)
            time.sleep(1)
            after = _cpu_ticks(self.home)
            return any(after.get(pid) == ticks for pid, ticks in before.items())

        wait_until(is_ready, "a spare runner")

    def state(self, job_id: str) -> str:
        return self.admin.get(job_id)["state"]

    def fill(self, client: Client, **changes: Any) -> list[str]:
        """Occupy each device with a job of this person; return the jobs."""
        jobs = [submit(client, **changes) for _ in NAMES]
        assert {wait_for_device(self.admin, job) for job in jobs} == set(NAMES)
        return jobs

    def clean(self) -> None:
        """End every job, and show the devices without other processes."""
        jobs = [job for job in self.admin.jobs() if job["state"] not in FINAL_STATES]
        for job in jobs:
            self.admin.cancel(job["id"])
        for job in jobs:
            wait_until(lambda job=job: self.state(job["id"]) in FINAL_STATES, job["id"])
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.names.clear()
        self.show(*NAMES)


def _cpu_ticks(home: Path) -> dict[int, int]:
    """Return the CPU time of each runner of a box, by process id."""
    ticks = dict[int, int]()
    for pid, command in processes_of(home).items():
        if "worker.runner" in command:
            with suppress(OSError):  # it has ended
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks[pid] = int(fields[11]) + int(fields[12])
    return ticks


def submit(client: Client, **changes: Any) -> str:
    """Submit `LONG` with these changes and return the job."""
    return client.submit({**LONG, **changes})["id"]


@contextmanager
def started_team(form: str, directory: Path, away: str | None) -> Iterator[Team]:
    """Start a box and yield it.

    Args:
        form: `embedded` (SQLite and the embedded broker), or `composed` (PostgreSQL and Redis).
        directory: for the files of the box.
        away: why there is no PostgreSQL.
    """
    home, devices_file = directory / "home", directory / "devices.json"
    write_devices(devices_file, NAMES)
    settings = {
        "TRAINSHED_SIMULATED_DEVICES": str(devices_file),
        "TRAINSHED_QUANTUM_SECONDS": "5",
    }
    with ExitStack() as stack:
        if form == "embedded":
            box = EmbeddedBox(home, free_port(), settings=settings)
            stack.callback(box.kill)
            box.start()
            stack.callback(box.stop)
            url, key = f"http://127.0.0.1:{box.port}", (home / "key").read_text().strip()
        else:
            composed = ComposedBox(
                home=home,
                database_url=stack.enter_context(postgresql_database(away)),
                broker_url=stack.enter_context(redis_server(directory)),
                mlflow_url=f"sqlite:///{directory / 'mlflow.db'}",
                api_port=free_port(),
                sidecar_port=free_port(),
                settings=settings,
            )
            stack.callback(wait_until, lambda: not processes_of(home), "the exit of the spare")
            stack.callback(composed.stop)
            composed.start()
            url, key = composed.url, composed.key
        admin = stack.enter_context(Client(url, key))
        wait_until(lambda: len(admin.devices()) == len(NAMES), "the devices")
        yield Team(url, admin, devices_file, home)
