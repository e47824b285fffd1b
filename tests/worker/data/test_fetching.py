import errno
from pathlib import Path

import pytest

from tests.worker.data.files import NOWHERE, Quiet, served
from worker.data import fetching
from worker.data.errors import DatasetMissing, SourceFailed
from worker.data.fetching import (
    debian_package,
    download,
    is_debian_package_known,
    read_first_available,
)


class Odd(Quiet):
    """Breaks off or stalls after ten bytes."""

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        if self.path == "/stalls":
            self.wfile.flush()
            self.rfile.read(1)  # until the client hangs up


@pytest.mark.parametrize(
    ("script", "is_known"), [("exit 0", True), ("exit 100", False), ("exec sleep 60", True)]
)
def test_a_package_is_unknown_only_where_apt_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, is_known: bool
) -> None:
    (tmp_path / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(fetching, "PROBE_SECONDS", 0.5)
    assert is_debian_package_known("any") == is_known


def test_without_apt_no_package_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not is_debian_package_known("any")


class TestDownload:
    def test_response_is_written_to_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"content")
        with served(tmp_path) as address:
            download(f"{address}/file", tmp_path / "got", max_bytes=7, timeout_seconds=60)
        assert (tmp_path / "got").read_bytes() == b"content"

    def test_longer_response_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"content")
        with served(tmp_path) as address, pytest.raises(SourceFailed, match="more than 6 bytes"):
            download(f"{address}/file", tmp_path / "got", max_bytes=6, timeout_seconds=60)

    def test_error_has_the_status(self, tmp_path: Path) -> None:
        with served(tmp_path) as address, pytest.raises(SourceFailed, match="status 404"):
            download(f"{address}/file", tmp_path / "got", max_bytes=6, timeout_seconds=60)

    def test_incomplete_response_is_refused(self, tmp_path: Path) -> None:
        with (
            served(tmp_path, Odd) as address,
            pytest.raises(SourceFailed, match="closed the connection after 10"),
        ):
            download(f"{address}/short", tmp_path / "got", max_bytes=9999, timeout_seconds=60)

    def test_stalled_response_times_out(self, tmp_path: Path) -> None:
        with (
            served(tmp_path, Odd) as address,
            pytest.raises(SourceFailed, match="stopped sending after 10 bytes"),
        ):
            download(f"{address}/stalls", tmp_path / "got", max_bytes=9999, timeout_seconds=1.0)

    def test_missing_server_fails_immediately(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match="does not respond"):
            download(f"{NOWHERE}/file", tmp_path / "got", max_bytes=9, timeout_seconds=60)

    def test_other_schemes_than_http_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match="not an http"):
            download("file:///etc/hosts", tmp_path / "got", max_bytes=9999, timeout_seconds=60)


class TestDebianPackage:
    def test_error_has_the_last_line_of_apt_get(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            (tmp_path / tool).write_text("#!/bin/sh\necho 'E: Unable to locate it' >&2\nexit 100\n")
            (tmp_path / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceFailed, match="failed with exit code 100: E: Unable to locate it"):
            debian_package("some-package", tmp_path, timeout_seconds=60)


class TestReadFirstAvailable:
    def test_first_available_source_is_read(self) -> None:
        assert read_first_available("x", [("a", self.broken), ("b", lambda: 1)], hint="") == 1

    def test_error_has_the_reason_of_every_source(self) -> None:
        sources = [("a", self.broken), ("b", self.unreadable)]
        with pytest.raises(DatasetMissing, match="a: damaged; b: Permission denied") as caught:
            read_first_available("x", sources, hint="do this")
        assert caught.value.hint == "do this"

    def test_full_disk_is_raised_and_not_treated_as_a_failed_source(self) -> None:
        def full() -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            read_first_available("x", [("a", full), ("b", lambda: None)], hint="")

    @staticmethod
    def broken() -> int:
        raise SourceFailed("damaged")

    @staticmethod
    def unreadable() -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/a/secret/path")
