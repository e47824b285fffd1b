"""Two hosts of one box: each with a network, processes, a host name, a home and a clock of its own.

They share PostgreSQL, Redis and the storage. The second host is a set of namespaces, which needs
root; its way to the servers is a link that the test cuts.
"""
# pyright: reportOptionalSubscript=false

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from box.parts import list_parts
from shared import tables
from shared.broker import ring
from shared.clock import now
from shared.jobs import control, liveness
from shared.jobs.read_box import list_devices
from tests.box_driver import BoxDriver
from tests.faults.conftest import LONG, SPEC, STEPS_PER_EPOCH

pytestmark = [pytest.mark.faults, pytest.mark.long]

NAME = f"ts{os.getpid() % 100_000}"
OUTER, INNER = "10.213.77.1", "10.213.77.2"
CLOCK_SECONDS = 30.0
ALONE = {**SPEC, "diagnostics": "off"}


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Link:
    """The network of the second host, and a relay to servers that listen on this host only."""

    def __init__(self) -> None:
        self._servers: list[socket.socket] = []
        run("ip", "netns", "add", NAME)
        run("ip", "link", "add", f"{NAME}o", "type", "veth", "peer", "name", f"{NAME}i")
        run("ip", "link", "set", f"{NAME}i", "netns", NAME)
        run("ip", "addr", "add", f"{OUTER}/24", "dev", f"{NAME}o")
        run("ip", "link", "set", f"{NAME}o", "up")
        inside = ("ip", "netns", "exec", NAME, "ip")
        run(*inside, "addr", "add", f"{INNER}/24", "dev", f"{NAME}i")
        run(*inside, "link", "set", f"{NAME}i", "up")
        run(*inside, "link", "set", "lo", "up")

    def relay(self, address: tuple[str, int]) -> int:
        """Return the port at which the second host reaches a server."""
        server = socket.create_server((OUTER, 0))
        self._servers.append(server)
        threading.Thread(target=self._accept, args=(server, address), daemon=True).start()
        return server.getsockname()[1]

    def set_up(self, is_up: bool) -> None:
        run("ip", "link", "set", f"{NAME}o", "up" if is_up else "down")

    def close(self) -> None:
        for server in self._servers:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # which ends `accept`
            server.close()
        run("ip", "netns", "del", NAME)

    def _accept(self, server: socket.socket, address: tuple[str, int]) -> None:
        with suppress(OSError):  # it is closed at the end
            while True:
                client, _ = server.accept()
                threading.Thread(target=_serve, args=(client, address), daemon=True).start()


def _serve(client: socket.socket, address: tuple[str, int]) -> None:
    """Relay a connection in both directions until either side ends it."""
    with client, suppress(OSError), socket.create_connection(address) as upstream:
        back = threading.Thread(target=_copy, args=(upstream, client), daemon=True)
        back.start()
        _copy(client, upstream)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Hosts:
    """The two hosts: the first is this machine, the second its namespaces."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self.link = Link()
        shared = {
            "TRAINSHED_STORAGE_URL": (directory / "storage").as_uri(),
            "TRAINSHED_CPU_SLOTS": "1",
        }
        self.first = BoxDriver(
            directory / "first",
            **shared,
            TRAINSHED_DATABASE_URL=database_url,
            TRAINSHED_WORKER_ID="first",
        )
        url = sa.make_url(database_url)
        port = self.link.relay((url.host or "127.0.0.1", url.port or 5432))
        far = url.set(host=OUTER, port=port).render_as_string(hide_password=False)
        self.second = BoxDriver(
            directory / "second",
            **shared,
            TRAINSHED_DATABASE_URL=database_url,
            TRAINSHED_WORKER_ID="second",
        )
        self.far = {
            "TRAINSHED_DATABASE_URL": far,
            # Idle workers also look for jobs without its doorbell
            "TRAINSHED_BROKER_URL": f"redis://{OUTER}:1/0",
            "TRAINSHED_TEST_CLOCK_SECONDS": str(CLOCK_SECONDS),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start_second(self) -> None:
        part = next(part for part in list_parts(self.second.settings) if part.name == "worker")
        enter = ["ip", "netns", "exec", NAME, "unshare", "--uts", "--pid", "--fork"]
        enter += ["--mount-proc", "--kill-child", "sh", "-c", 'hostname second; exec "$@"', "sh"]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRAINSHED_")}
        with self.second.log("worker").open("ab") as log:
            self.process = subprocess.Popen(
                [*enter, *part.command],
                env=clean | self.second.environment | self.far,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def stop_second(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.stop_second()
        self.second.close()
        self.first.close()
        self.link.close()

    def state(self, worker: str) -> str:
        """Return whether the plan counts a worker's device: `free` or `away`."""
        with self.first.database.read() as connection:
            devices = list_devices(connection, now())
        return "free" if any(d.id.startswith(f"{worker}/") for d in devices) else "away"


@pytest.fixture
def hosts(postgresql_url: str) -> Iterator[Hosts]:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs root, unshare and ip: the second host is a set of namespaces")
    directory = Path(tempfile.mkdtemp(prefix="trainshed-hosts-"))
    try:
        found = Hosts(directory, postgresql_url)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the kernel gives no namespaces: {error.stderr.decode().strip()}")
    try:
        found.first.start("broker")
        yield found
    finally:
        found.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_a_job_paused_on_one_host_resumes_on_the_other_in_the_same_bits(hosts: Hosts) -> None:
    box = hosts.first
    hosts.start_second()
    box.wait_until(lambda: hosts.state("second") == "free", "the second host")
    job_id = box.submit(ALONE, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > STEPS_PER_EPOCH, "the second epoch")
    (first,) = box.attempts(job_id)
    assert (first.worker, first.host) == ("second", "second")
    assert abs((now() - first.started_at).total_seconds()) < CLOCK_SECONDS / 2, "one clock"
    with box.database.write() as connection:
        control.request_pause(connection, job_id)
    box.wait_until(lambda: box.job(job_id).state == "paused", "the pause")
    hosts.stop_second()
    box.start("worker")
    with box.database.write() as connection:
        control.resume(connection, job_id)
    ring(box.celery)
    job = box.finish(job_id)
    assert job.state == "succeeded", job.failure
    assert [row.worker for row in box.attempts(job_id)] == ["second", "first"]
    assert job.result["resumed_inexact"] is False
    alone = box.submit(ALONE)
    assert box.finish(alone).state == "succeeded"
    assert box.outcome(job_id)["weights"] == box.outcome(alone)["weights"]


def test_a_host_that_is_cut_off_loses_its_job_and_writes_nothing_afterwards(hosts: Hosts) -> None:
    box = hosts.first
    hosts.start_second()
    box.wait_until(lambda: hosts.state("second") == "free", "the second host")
    job_id = box.submit(LONG, notify=False)
    box.wait_until(lambda: box.last_step(job_id) > 0, "a checkpoint")
    box.start("worker")
    box.wait_until(lambda: hosts.state("first") == "free", "the first host")
    hosts.link.set_up(False)
    cut_at = time.monotonic()
    box.wait_until(lambda: len(box.attempts(job_id)) == 2, "the attempt of the first host")
    seconds = time.monotonic() - cut_at
    assert seconds <= box.settings.lease_seconds + 30
    box.wait_until(lambda: hosts.state("second") == "away", "its devices to be away")
    first, second = box.attempts(job_id)
    assert (first.outcome, second.worker) == ("worker_lost", "first")
    hosts.link.set_up(True)
    # Its runner finds itself fenced, and its worker offers its device again
    log = box.storage.log(job_id, 1)
    box.wait_until(lambda: "no longer holds its job" in log.read_text(), "the fenced runner")
    box.wait_until(lambda: hosts.state("second") == "free", "the second host again")
    assert box.attempts(job_id)[0] == first
    assert len(box.attempts(job_id)) == 2
    box.cancel(job_id)
    assert box.finish(job_id).state == "cancelled"


def test_a_worker_of_another_version_does_not_start(hosts: Hosts) -> None:
    box = hosts.first
    with box.database.write() as connection:
        liveness.record_worker(
            connection, worker="first", host="one", pid=1, devices=[], version="0123456789ab"
        )
        # Seen again in a while, so that the second worker has time to start
        workers: Any = tables.workers
        later = sa.update(workers).values(seen_at=now().replace(year=now().year + 1))
        connection.execute(later)
    hosts.start_second()
    assert hosts.process is not None
    assert hosts.process.wait(60) != 0
    text = hosts.second.log("worker").read_text()
    assert "the worker 'first' on the host one has 0123456789ab" in text
