"""A process for requests: it is ended at its limits, and its request is refused."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.sidecar.fork_server import ForkServer, ForkServerFailed
from worker.sidecar.limits import MAX_OPEN_FILES
from worker.sidecar.request import BUSY, Operation, RequestRefused, Subject, fault
from worker.sidecar.request_process import RequestProcess, serve

ROOT = Path(__file__).parents[3]
FILE = Subject("/dataset/file", "read the table", "Use a smaller table.")


def spin(_: dict[str, Any]) -> dict[str, Any]:
    while True:
        pass


def allocate(request: dict[str, Any]) -> dict[str, Any]:
    """Allocate in Python, which raises `MemoryError`."""
    return {"bytes": len(bytearray(request["mib"] * 2**20))}


def open_files(_: dict[str, Any]) -> dict[str, Any]:
    try:
        files = [os.open(os.devnull, os.O_RDONLY) for _ in range(2 * MAX_OPEN_FILES)]
    except OSError as error:
        return {"error": error.strerror}
    return {"files": len(files)}


def refuse(_: dict[str, Any]) -> dict[str, Any]:
    raise RequestRefused(fault("/dataset/file", "no"))


def crash(request: dict[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), request["signal"])
    return {}


OPERATIONS = {
    "spin": Operation(spin, cpu_seconds=1, subject=FILE),
    "spin_alone": Operation(spin, cpu_seconds=1),
    "allocate": Operation(allocate, memory_mib=64, subject=FILE),
    "sleep": Operation(lambda _: time.sleep(60) or {}, elapsed_seconds=0.2),
    "open_files": Operation(open_files),
    "refuse": Operation(refuse),
    "crash": Operation(crash, subject=FILE),
    "exit": Operation(lambda _: os._exit(0)),
    "pid": Operation(lambda _: {"pid": os.getpid()}, is_kept=True, cpu_seconds=1),
    "nice": Operation(lambda _: {"nice": os.nice(0)}, is_background=True),
}


def _main(name: str, connection: socket.socket) -> None:
    serve(OPERATIONS[name], connection)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(_main)
    yield server
    server.close()


def respond(server: ForkServer, name: str, **request: Any) -> dict[str, Any]:
    async def exchange() -> dict[str, Any]:
        process = RequestProcess(name, OPERATIONS[name], server)
        try:
            return await process.respond(request)
        finally:
            process.end()

    return asyncio.run(exchange())


def refusal(server: ForkServer, name: str, **request: Any) -> str:
    response = respond(server, name, **request)
    assert response["faults"][0]["pointer"] == "/dataset/file"
    return response["faults"][0]["detail"]


def test_request_that_spins_is_ended_and_refused(server: ForkServer) -> None:
    expected = "It takes more than 1 s of CPU time to read the table. Use a smaller table."
    assert refusal(server, "spin") == expected


def test_request_without_a_subject_is_not_blamed(server: ForkServer) -> None:
    assert respond(server, "spin_alone") == BUSY


def test_request_that_allocates_too_much_is_refused(server: ForkServer) -> None:
    expected = "It takes more than 64 MiB of memory to read the table. Use a smaller table."
    # More than a large process, such as that of these tests, has free in its heap
    assert refusal(server, "allocate", mib=8192) == expected
    assert respond(server, "allocate", mib=16) == {"ok": True, "bytes": 16 * 2**20}


def test_abort_and_kill_of_the_kernel_are_taken_as_want_of_memory(server: ForkServer) -> None:
    assert "64" not in refusal(server, "crash", signal=6)
    assert "of memory to read the table" in refusal(server, "crash", signal=6)
    assert "of memory to read the table" in refusal(server, "crash", signal=9)


def test_crash_is_refused_and_the_next_request_is_answered(server: ForkServer) -> None:
    assert refusal(server, "crash", signal=11).startswith("The process that was to read the table")
    assert respond(server, "pid")["ok"]


def test_process_that_ends_without_a_signal_is_not_the_request_s_fault(server: ForkServer) -> None:
    assert respond(server, "exit") == BUSY


def test_request_that_only_waits_is_ended_after_a_while(server: ForkServer) -> None:
    assert respond(server, "sleep") == BUSY


def test_open_files_are_limited(server: ForkServer) -> None:
    assert respond(server, "open_files") == {"ok": True, "error": "Too many open files"}


def test_faults_and_malformed_requests_are_responses(server: ForkServer) -> None:
    assert respond(server, "refuse")["faults"] == [fault("/dataset/file", "no")]
    detail = respond(server, "allocate")["faults"][0]["detail"]
    assert detail == "The request is malformed: 'mib'."


def test_background_operation_leaves_the_cores_to_others(server: ForkServer) -> None:
    assert respond(server, "nice")["nice"] > os.nice(0)


def test_kept_process_serves_requests_with_cpu_time_for_each(server: ForkServer) -> None:
    async def test() -> None:
        process = RequestProcess("pid", OPERATIONS["pid"], server)
        first = await process.respond({})
        assert first == await process.respond({})
        assert process.is_alive
        process.end()
        assert not process.is_alive
        with pytest.raises(ProcessLookupError):
            os.kill(first["pid"], 0)

    asyncio.run(test())


def test_end_of_the_fork_server_ends_its_processes() -> None:
    server = ForkServer(_main)
    forked = server.fork("sleep")
    with forked.connection as connection:
        connection.sendall(b"{}\n")
        server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(forked.pid, 0)
    with pytest.raises(ForkServerFailed):
        server.fork("pid")


def test_fork_server_is_ready_after_its_imports(tmp_path: Path) -> None:
    path = tmp_path / "imported"
    os.mkfifo(path)

    def prepare() -> None:
        path.read_text()

    server = ForkServer(_main, prepare)
    assert not server.is_ready
    path.write_text("done")  # returns once the fork server reads
    with server.fork("pid").connection:
        assert server.is_ready
    server.close()


#: A sidecar with a request in progress. Prints the process ids of its fork server and request.
SIDECAR = """
import asyncio, os, sys, time
from worker.sidecar.fork_server import ForkServer
from worker.sidecar.request import Operation
from worker.sidecar.request_process import serve
operation = Operation(lambda _: time.sleep(0.5) or {})
server = ForkServer(lambda _, connection: serve(operation, connection))
forked = server.fork("sleep")
forked.connection.sendall(b"{}\\n")
print(server._pid, forked.pid, flush=True)
time.sleep(600)
"""


def test_kill_of_the_sidecar_ends_its_processes_without_a_traceback(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w") as errors:
        sidecar = subprocess.Popen(
            [sys.executable, "-c", SIDECAR], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
        )
    assert sidecar.stdout is not None
    pids = [int(pid) for pid in sidecar.stdout.readline().split()]
    sidecar.kill()
    sidecar.wait()
    sidecar.stdout.close()
    deadline = time.monotonic() + 30
    while any(map(_is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_is_alive, pids))
    assert (tmp_path / "errors").read_text() == ""


def _is_alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_mistake_in_a_process_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    def main(_: str, connection: socket.socket) -> None:
        connection.recv(1)
        raise ZeroDivisionError("the mistake")

    server = ForkServer(main)
    forked = server.fork("any")
    forked.connection.sendall(b"x")
    assert forked.connection.recv(1) == b"", "the process has ended"
    assert server.end(forked) == 0
    server.close()
    printed = capfd.readouterr()
    assert "the mistake" in printed.out + printed.err
