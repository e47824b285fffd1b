"""The logs of attempts."""

from pathlib import Path

from shared.jobs.attempts import Lease
from tests.api.service import Service


def _write_log(service: Service, lease: Lease, content: bytes, attempt: int = 1) -> str:
    """Write the log of an attempt; return the address of the job's logs."""
    path = service.storage.log(lease.job_id, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"/v1/jobs/{lease.job_id}/logs"


def test_control_characters_are_escaped(service: Service) -> None:
    address = _write_log(service, service.start_job(), b"a\x1b[31mred\r\n\x00\xff \xc2\x9b")
    response = service.client.get(address)
    assert response.text == "a\\x1b[31mred\\x0d\n\\x00\ufffd \\x9b"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_characters_that_reorder_hide_or_break_lines_are_escaped(service: Service) -> None:
    content = "a\u202eb\u2066c\u2028d\u200be\ufefff".encode()
    address = _write_log(service, service.start_job(), content)
    text = service.client.get(address).text
    assert text == "a\\u202eb\\u2066c\\u2028d\\u200be\\ufefff"


def test_tail_returns_the_last_bytes(service: Service) -> None:
    address = _write_log(service, service.start_job(), b"0123456789" * 10_000)
    assert service.client.get(address, params={"tail": 4}).text == "6789"
    assert len(service.client.get(address).text) == 65_536
    assert service.client.get(address, params={"tail": 0}).status_code == 422


def test_each_attempt_has_its_log(service: Service) -> None:
    lease = service.start_job()
    address = _write_log(service, lease, b"first")
    service.stop(lease)
    assert service.claim().attempt == 2
    _write_log(service, lease, b"second", attempt=2)
    assert service.client.get(address).text == "second"
    assert service.client.get(address, params={"attempt": 1}).text == "first"
    missing = service.client.get(address, params={"attempt": 3})
    assert missing.status_code == 404
    assert missing.json()["detail"] == "The job has no attempt 3; it has 2 so far."


def test_job_that_never_ran_has_an_empty_log(service: Service) -> None:
    assert service.client.get(f"/v1/jobs/{service.submit()}/logs").text == ""


def test_link_in_the_place_of_the_log_is_not_followed(service: Service, tmp_path: Path) -> None:
    lease = service.start_job()
    (tmp_path / "key").write_text("secret")
    path = service.storage.log(lease.job_id, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path / "key")
    response = service.client.get(f"/v1/jobs/{lease.job_id}/logs")
    assert response.status_code == 404
    assert "secret" not in response.text
