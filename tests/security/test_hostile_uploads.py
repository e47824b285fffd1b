"""Hostile files through HTTP: rejected with the reason, in bounded memory; nothing is left."""

import errno
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import uploaded_datasets
from tests.api.raw import connect
from tests.api.service import KEY, Service
from tests.security.hostile_files import Hostile, hostile_files

ROOT = Path(__file__).parents[2]
MEBIBYTE = 2**20
#: Checks data sets one after another, as separate checkers would, and prints its largest memory.
CHECKER = """
import sys
from shared.database import Database
from shared.settings import read_settings
from worker.checker.check import check_dataset
from worker.checker.__main__ import limit_checker
settings = read_settings()
limit_checker()
database = Database(settings.database, pool_size=1)
for dataset_id in sys.argv[1:]:
    check_dataset(dataset_id, settings, database)
# Of this program alone: `ru_maxrss` includes the process that it was forked from
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print("memory", int(peak.split()[1]) // 1024)
"""


@pytest.fixture(autouse=True)
def _no_uploads(service: Service) -> None:
    for path in _files(service):
        path.unlink()


def _files(service: Service) -> list[Path]:
    return sorted(uploaded_datasets.directory(service.settings.home).glob("*"))


def _upload(service: Service, content: Any, name: str = "x") -> dict[str, Any]:
    headers = {"Content-Type": "application/octet-stream"}
    response = service.client.post(
        "/v1/datasets", params={"name": name}, content=content, headers=headers
    )
    assert response.status_code == 202, response.text
    return response.json()


def _check(service: Service, ids: list[str]) -> int:
    """Check uploads in a process with the checker's limits; return its largest memory in MiB."""
    environment = os.environ | {
        "TRAINSHED_HOME": str(service.settings.home),
        "TRAINSHED_DATABASE_URL": service.settings.database_url,
    }
    done = subprocess.run(
        [sys.executable, "-c", CHECKER, *ids],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("memory ")[2])


def _names(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.suffix not in {".log", ".lock"}}


def test_hostile_files_are_rejected_with_their_reason(service: Service, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    uploads: dict[str, tuple[Hostile, dict[str, Any]]] = {}
    for number, (what, hostile) in enumerate(hostile_files(marker)):
        uploads[what] = hostile, _upload(service, hostile.content, f"hostile-{number}")
    before = _names(service.settings.home.parent)
    memory_mib = _check(service, [dataset["id"] for _, dataset in uploads.values()])
    assert memory_mib < 1024
    wrong: dict[str, Any] = {}
    for what, (hostile, dataset) in uploads.items():
        found = service.client.get(f"/v1/datasets/{dataset['name']}").json()
        assert found["state"] == "rejected", what
        reasons = {each["file"]: each["detail"] for each in found["rejected"]}
        is_named = not hostile.file or hostile.file in reasons
        if not is_named or hostile.detail not in " ".join(reasons.values()):
            wrong[what] = reasons
        assert str(service.settings.home) not in str(reasons), what
        refused = service.post("/v1/jobs", {"dataset": dataset["name"], "architecture": "mlp"})
        assert refused.status_code == 422
        assert "was rejected" in refused.text
    assert wrong == {}
    assert not marker.exists()
    assert _names(service.settings.home.parent) == before, "nothing was written"
    for _, dataset in uploads.values():
        service.client.delete(f"/v1/datasets/{dataset['name']}")
    assert _files(service) == []


def _zeros(count_mib: int) -> Iterator[bytes]:
    block = bytes(MEBIBYTE)
    for _ in range(count_mib):
        yield block


def test_upload_takes_at_most_50_mib_of_memory(service: Service) -> None:
    _upload(service, bytes(1000))
    before = _memory_mib(resets=True)
    _upload(service, _zeros(300))
    # The client is in this process as well.
    assert _memory_mib() - before < 50


def _memory_mib(*, resets: bool = False) -> int:
    """Return the largest memory of this process since it was reset."""
    if resets:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


class _FullDisk(io.FileIO):
    """A file on a disk that becomes full half-way."""

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > 6 * MEBIBYTE:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_full_disk_half_way_is_said_and_leaves_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def full(path: Path, mode: str = "r", *arguments: Any) -> Any:
        return _FullDisk(path, mode) if mode == "xb" else opened(path, mode, *arguments)

    monkeypatch.setattr(Path, "open", full)
    headers = {"Content-Type": "application/zip"}
    response = service.client.post(
        "/v1/datasets", params={"name": "x"}, content=_zeros(12), headers=headers
    )
    assert response.status_code == 503
    assert "disk of the service is full" in response.json()["detail"]
    assert _files(service) == []
    assert service.client.get("/v1/datasets/x").status_code == 404
    monkeypatch.undo()
    assert _upload(service, b"PK")["version"] == 1, "the next upload is the first version"


@pytest.mark.parametrize("is_declared", [False, True])
def test_client_that_sends_too_much_reads_why(service: Service, *, is_declared: bool) -> None:
    state = service.app.state
    services = state.services
    settings = services.settings.model_copy(update={"limit_upload_mib": 1})
    state.services = replace(services, settings=settings)
    try:
        response = service.client.post(
            "/v1/datasets",
            params={"name": "x"},
            content=bytes(30 * MEBIBYTE) if is_declared else _zeros(30),
            headers={"Content-Type": "application/zip"},
        )
    finally:
        state.services = services
    assert response.status_code == 413
    assert "limit of 1 MiB" in response.json()["detail"]
    assert _files(service) == []


def _head(**headers: str) -> bytes:
    lines = ["POST /v1/datasets?name=x HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}"]
    named = {"Content_Type": "application/zip", "Connection": "close", **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def test_client_that_asks_before_it_sends_is_answered(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(_head(Expect="100-continue", Content_Length="1000"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(bytes(1000))
        assert b"HTTP/1.1 202 " in _rest(connection)


def test_client_that_asks_first_need_not_send_what_is_refused(service: Service) -> None:
    too_large = str(service.settings.limit_upload_mib * MEBIBYTE + 1)
    for status, headers in (
        (413, {"Content_Length": too_large}),
        (415, {"Content_Length": "1000", "Content_Type": "image/png"}),
        (401, {"Content_Length": "1000"}),
    ):
        head = _head(Expect="100-continue", **headers)
        if status == 401:
            head = head.replace(KEY.encode(), b"wrong", 1)
        with connect(service) as connection:
            connection.sendall(head)
            answer = _rest(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert _files(service) == []


@pytest.mark.parametrize("sent", [0, 1, 65_536])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_upload_that_ends_early_leaves_nothing(
    service: Service, sent: int, *, is_chunked: bool
) -> None:
    headers = {"Transfer_Encoding": "chunked"} if is_chunked else {"Content_Length": "1000000"}
    body = (b"%x\r\n" % 2**20 if is_chunked else b"") + bytes(sent)
    with connect(service) as connection:
        connection.sendall(_head(**headers) + body)
    service.wait_until(lambda: not _files(service), "the unfinished file to go")
    assert service.client.get("/v1/datasets/x").status_code == 404


def _rest(connection: socket.socket) -> bytes:
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    return answer
