"""Logins and their links are in the audit; requests name their person in the log."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.contextvars import get_contextvars

from api.accounts import users as routes
from shared import tables
from shared.accounts import sessions
from shared.database import Database
from tests.api.accounts_box import AccountsBox, accounts_box
from tests.databases import make_tables


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{home / 'test.db'}"
    database = Database(url, pool_size=1)
    make_tables(database)
    database.close()
    with accounts_box(url, home) as opened:
        yield opened


def test_login_logout_and_links_are_in_the_audit(box: AccountsBox) -> None:
    authenticator = box.app.state.services.authenticator
    assert box.request("mia", "submit", "POST", "/v1/login-links").status_code == 201
    key = box.headers("mia", "submit")["Authorization"].partition(" ")[2]
    cookie = asyncio.run(authenticator.log_in(key))
    session_id = cookie.partition(".")[0]
    asyncio.run(authenticator.log_out(cookie))
    asyncio.run(authenticator.log_out(cookie))
    assert box.audit() == [
        ("mia", "login_link.create", "mia"),
        ("mia", "session.begin", session_id),
        ("mia", "session.end", session_id),
    ]
    assert cookie.partition(".")[2] not in repr(box.rows(tables.audit))
    assert all(row["request_id"] for row in box.rows(tables.audit))


def test_a_session_whose_login_cannot_be_recorded_does_not_begin(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = box.headers("mia", "submit")["Authorization"].partition(" ")[2]

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("shared.accounts.audit.record", fail)
    with pytest.raises(RuntimeError):
        asyncio.run(box.app.state.services.authenticator.log_in(key))
    assert box.rows(tables.sessions) == []


def test_the_digest_of_an_unknown_session_is_compared_too(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    compare = sessions.hmac.compare_digest

    def record(first: str, second: str) -> bool:
        compared.append(second)
        return compare(first, second)

    monkeypatch.setattr(sessions.hmac, "compare_digest", record)
    headers = {"Cookie": f"trainshed=ses_{'0' * 26}.secret"}
    assert box.client.get("/v1/me", headers=headers).status_code == 401
    assert sessions.DUMMY_SHA256 in compared


def test_the_log_of_a_request_names_its_person_and_its_id(
    box: AccountsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    read = routes._read

    def record(*arguments: Any) -> Any:
        seen.append(dict(get_contextvars()))
        return read(*arguments)

    monkeypatch.setattr(routes, "_read", record)
    for name in ("mia", "otto"):
        assert box.request(name, "submit", "GET", "/v1/me").status_code == 200
    assert [each["user"] for each in seen] == ["mia", "otto"]
    assert len({each["request"] for each in seen}) == 2


def test_a_retry_may_read_what_the_job_starts_from(box: AccountsBox) -> None:
    source = box.add_job("otto")
    stage = {"name": "all", "train": "all", "epochs": 1, "optimizer": {"name": "sgd"}}
    weights = {"job": source, "checkpoint": "last"}
    job = box.add_job("mia", fine_tuning={"weights": weights, "stages": [stage]})
    with box.database.write() as connection:
        update = sa.update(tables.jobs).where(tables.jobs.c.id == job)
        connection.execute(update.values(state="cancelled"))
    refused = box.request("mia", "submit", "POST", f"/v1/jobs/{job}/retry")
    assert refused.status_code == 422, refused.text
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/fine_tuning/weights/job"]
    assert source in refused.text
    box.set_visibility("team")
    assert box.request("mia", "submit", "POST", f"/v1/jobs/{job}/retry").status_code == 202


def test_the_queue_does_not_continue_behind_a_job_that_the_caller_may_not_read(
    box: AccountsBox,
) -> None:
    jobs = {name: box.add_job(name) for name in ("mia", "otto")}
    own = box.request("mia", "submit", "GET", f"/v1/queue?after={jobs['mia']}").json()
    assert len(own["data"]) == 1
    unknown = f"job_{'0' * 26}"
    for after in (jobs["otto"], unknown):
        response = box.request("mia", "submit", "GET", f"/v1/queue?after={after}")
        assert response.status_code == 400
        assert after in response.json()["detail"]
