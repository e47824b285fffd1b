"""Checkpoints and their downloads."""

import math

import pytest

from shared.jobs.attempts import Lease
from shared.storage import WEIGHTS
from tests.api.jobs.results.files import CONTENT, SHA256, with_file
from tests.api.service import Service, checkpoint_row


@pytest.fixture
def address(lease: Lease) -> str:
    """Return the address of the job's checkpoints."""
    return f"/v1/jobs/{lease.job_id}/checkpoints"


@pytest.fixture
def download(address: str) -> str:
    """Return the address of the last checkpoint's file."""
    return f"{address}/last/download"


class TestList:
    def test_checkpoints_have_names_and_previous_is_left_out(
        self, service: Service, address: str
    ) -> None:
        listed = service.client.get(address).json()["data"]
        names = [checkpoint["name"] for checkpoint in listed]
        assert names == ["initial", "best_val_loss", "epoch_2", "last"]
        best = listed[1]
        assert (best["monitor"], best["value"]) == ("val_loss", 0.5)
        assert (best["epoch"], best["step"]) == (1, 10)
        assert (best["bytes"], best["sha256"]) == (len(CONTENT), SHA256)
        assert listed[-1]["monitor"] is None

    def test_pages(self, service: Service, address: str) -> None:
        first = service.client.get(address, params={"limit": 3}).json()
        rest = service.client.get(address, params={"after": first["data"][-1]["id"]}).json()
        assert (len(first["data"]), first["has_more"]) == (3, True)
        assert (len(rest["data"]), rest["has_more"]) == (1, False)

    def test_best_value_may_be_infinite(self, service: Service) -> None:
        lease = service.start_job()
        best = checkpoint_row("best", monitor="gradient_norm", mode="max", value=math.inf)
        service.record(lease, checkpoints=[best])
        listed = service.client.get(f"/v1/jobs/{lease.job_id}/checkpoints").json()["data"]
        assert [checkpoint["value"] for checkpoint in listed] == ["inf"]


class TestDownload:
    def test_by_id_and_by_name(self, service: Service, address: str) -> None:
        listed = service.client.get(address).json()["data"]
        for name in ("best_val_loss", "last", "initial", listed[1]["id"]):
            response = service.client.get(f"{address}/{name}/download")
            assert response.content == CONTENT
            assert response.headers["etag"] == f'"{SHA256}"'
            assert response.headers["content-disposition"].startswith("attachment")

    def test_id_of_an_earlier_last_checkpoint_is_valid_while_its_file_exists(
        self, service: Service, lease: Lease, address: str
    ) -> None:
        last = service.client.get(address).json()["data"][-1]
        newer = with_file(service, lease, checkpoint_row("last", 40, epoch=4))
        service.record(lease, checkpoints=[newer])
        listed = service.client.get(address).json()["data"]
        assert (listed[-1]["name"], listed[-1]["id"]) == ("last", newer.id)
        assert last["id"] not in {checkpoint["id"] for checkpoint in listed}
        assert service.client.get(last["download"]).content == CONTENT
        assert service.client.get(f"{address}/previous/download").status_code == 404
        (service.storage.attempt(lease.job_id, 1) / "step-30" / WEIGHTS).unlink()
        assert service.client.get(last["download"]).status_code == 404

    def test_error_for_an_unknown_name_has_the_available_names(
        self, service: Service, address: str
    ) -> None:
        response = service.client.get(f"{address}/best_accuracy/download")
        assert response.status_code == 404
        assert "best_val_loss" in response.json()["detail"]

    def test_directory_outside_the_storage_is_not_read(
        self, service: Service, lease: Lease, download: str
    ) -> None:
        outside = service.settings.home / WEIGHTS
        outside.write_bytes(b"secret")
        service.record(lease, checkpoints=[checkpoint_row("last", 40, directory="..")])
        response = service.client.get(download)
        assert response.status_code == 404
        assert str(service.settings.home) not in response.text


class TestRanges:
    def test_ranges_are_sent(self, service: Service, download: str) -> None:
        part = service.client.get(download, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, CONTENT[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
        rest = service.client.get(download, headers={"Range": "bytes=10000-"})
        assert rest.content == CONTENT[10_000:]

    def test_several_ranges_are_sent_as_parts(self, service: Service, download: str) -> None:
        response = service.client.get(download, headers={"Range": "bytes=0-3,9-9,99999-"})
        assert response.status_code == 206
        assert response.headers["content-type"].startswith("multipart/byteranges")
        for part in (b"0-3", b"9-9"):
            assert b"Content-Range: bytes " + part + b"/10240" in response.content

    def test_if_range_decides_between_part_and_whole(self, service: Service, download: str) -> None:
        fresh = {"Range": "bytes=0-9", "If-Range": f'"{SHA256}"'}
        assert service.client.get(download, headers=fresh).status_code == 206
        for ranges in ("bytes=0-9", "bytes=99999-"):
            stale = {"Range": ranges, "If-Range": '"another"'}
            assert service.client.get(download, headers=stale).status_code == 200

    def test_ranges_outside_the_file_and_too_many_are_refused(
        self, service: Service, download: str
    ) -> None:
        many = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 10_000, 2))
        for ranges in ("bytes=99999-", many):
            response = service.client.get(download, headers={"Range": ranges})
            assert response.status_code == 416
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["content-range"] == f"bytes */{len(CONTENT)}"
            assert response.json()["bytes"] == len(CONTENT)

    @pytest.mark.parametrize("header", ["foo", "items=0-4", "bytes=4-2", "bytes="])
    def test_malformed_range_is_ignored(self, service: Service, download: str, header: str) -> None:
        response = service.client.get(download, headers={"Range": header})
        assert (response.status_code, response.content) == (200, CONTENT)

    def test_head_request_ignores_ranges(self, service: Service, download: str) -> None:
        for ranges in ("bytes=0-9", "bytes=99999-"):
            response = service.client.head(download, headers={"Range": ranges})
            assert (response.status_code, response.content) == (200, b"")
            assert response.headers["content-length"] == str(len(CONTENT))
            assert response.headers["accept-ranges"] == "bytes"
            assert response.headers["etag"] == f'"{SHA256}"'

    def test_current_version_is_not_sent_again(self, service: Service, download: str) -> None:
        for etags in (f'"{SHA256}"', f'"x", W/"{SHA256}"', "*"):
            headers = {"If-None-Match": etags, "Range": "bytes=99999-"}
            response = service.client.get(download, headers=headers)
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == f'"{SHA256}"'
        response = service.client.get(download, headers={"If-None-Match": '"another"'})
        assert (response.status_code, response.content) == (200, CONTENT)
