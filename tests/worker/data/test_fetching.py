import errno
from pathlib import Path

import pytest

from tests.worker.data.files import NOWHERE, Quiet, served
from worker.data.errors import DatasetMissing, SourceFailed
from worker.data.fetching import debian_package, download, first_that_works


class Odd(Quiet):
    """Answers as a bad network does."""

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)
        if self.path == "/stalls":
            self.wfile.flush()
            self.rfile.read(1)  # until the client hangs up


class TestDownload:
    def test_writes_what_the_address_answers(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"content")
        with served(tmp_path) as address:
            download(f"{address}/file", tmp_path / "got", most_bytes=7, within_seconds=60)
        assert (tmp_path / "got").read_bytes() == b"content"

    def test_a_longer_answer_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"content")
        with served(tmp_path) as address, pytest.raises(SourceFailed, match="more than 6 bytes"):
            download(f"{address}/file", tmp_path / "got", most_bytes=6, within_seconds=60)

    def test_a_missing_file_says_its_status(self, tmp_path: Path) -> None:
        with served(tmp_path) as address, pytest.raises(SourceFailed, match="answers 404"):
            download(f"{address}/file", tmp_path / "got", most_bytes=6, within_seconds=60)

    def test_an_answer_that_breaks_off_is_refused(self, tmp_path: Path) -> None:
        with (
            served(tmp_path, Odd) as address,
            pytest.raises(SourceFailed, match="broke off after 10"),
        ):
            download(f"{address}/short", tmp_path / "got", most_bytes=9999, within_seconds=60)

    def test_an_answer_that_stalls_is_given_up(self, tmp_path: Path) -> None:
        with (
            served(tmp_path, Odd) as address,
            pytest.raises(SourceFailed, match="stopped answering after 10 bytes"),
        ):
            download(f"{address}/stalls", tmp_path / "got", most_bytes=9999, within_seconds=1.0)

    def test_no_server_fails_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match="does not answer"):
            download(f"{NOWHERE}/file", tmp_path / "got", most_bytes=9, within_seconds=60)

    def test_nothing_but_http_is_opened(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match="not an http"):
            download("file:///etc/hosts", tmp_path / "got", most_bytes=9999, within_seconds=60)


class TestDebianPackage:
    def test_says_what_apt_get_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            (tmp_path / tool).write_text("#!/bin/sh\necho 'E: Unable to locate it' >&2\nexit 100\n")
            (tmp_path / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceFailed, match="ended with 100: E: Unable to locate it"):
            debian_package("some-package", tmp_path, within_seconds=60)


class TestTryingWays:
    def test_ends_at_the_first_that_works(self) -> None:
        assert first_that_works("x", [("a", self.broken), ("b", lambda: 1)], hint="") == 1

    def test_tells_every_reason(self) -> None:
        ways = [("a", self.broken), ("b", self.unreadable)]
        with pytest.raises(DatasetMissing, match="a: torn; b: Permission denied") as caught:
            first_that_works("x", ways, hint="do this")
        assert caught.value.hint == "do this"

    def test_a_full_disk_is_no_missing_data_set(self) -> None:
        def full() -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            first_that_works("x", [("a", full), ("b", lambda: None)], hint="")

    @staticmethod
    def broken() -> int:
        raise SourceFailed("torn")

    @staticmethod
    def unreadable() -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/a/secret/path")
