"""Two hosts of one box: each with a network, processes, a host name, a home and a clock of its own.

They share PostgreSQL, Redis and the storage. The second host is a set of namespaces, which needs
root; its way to the servers is a link that can be cut.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from box.parts import ROOT, list_parts
from shared.clock import now
from shared.jobs.read_box import list_devices
from tests.box_driver import BoxDriver

#: Of this process, so that tests and benchmarks of two processes do not meet.
NAME = f"ts{os.getpid() % 100_000}"
NETWORK = f"10.213.{os.getpid() % 256}"
OUTER, INNER = f"{NETWORK}.1", f"{NETWORK}.2"
WRONG_CLOCK = ROOT / "tests" / "faults" / "wrong_clock"


class NoNamespaces(Exception):
    """This machine cannot have a second host; the text says why."""


@contextmanager
def two_hosts(database_url: str, **settings: str) -> Iterator["Hosts"]:
    """Yield the hosts, with a broker and without workers; end everything afterwards.

    Args:
        database_url: of an empty PostgreSQL database.
        **settings: environment variables of both hosts.

    Raises:
        NoNamespaces: the second host cannot be made.
    """
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        raise NoNamespaces("needs root, unshare and ip: the second host is a set of namespaces")
    directory = Path(tempfile.mkdtemp(prefix="trainshed-hosts-"))
    try:
        hosts = Hosts(directory, database_url, settings)
    except subprocess.CalledProcessError as error:
        text = error.stderr.decode().strip()
        raise NoNamespaces(f"the kernel gives no namespaces: {text}") from error
    try:
        hosts.first.start("broker")
        yield hosts
    finally:
        hosts.close()
        shutil.rmtree(directory, ignore_errors=True)


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

    def __init__(self, directory: Path, database_url: str, settings: dict[str, str]) -> None:
        self.link = Link()
        shared = settings | {
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
            "PYTHONPATH": f"{WRONG_CLOCK}:{ROOT}",
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
                cwd=ROOT,
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
