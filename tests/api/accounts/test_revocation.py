"""Streams and long polls end with the key or session, and when the role of the person changes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.services.principal import Principal
from shared.accounts import keys, users
from tests.api.accounts_box import AccountsBox, accounts_box


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    """Return an application over each kind of database."""
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened


def _key(box: AccountsBox, name: str) -> str:
    return box.headers(name, "read")["Authorization"].partition(" ")[2]


def _revoke(box: AccountsBox, principal: Principal, _: str) -> None:
    with box.database.write() as connection:
        keys.revoke_key(connection, principal.key_id)


def _disable(box: AccountsBox, principal: Principal, _: str) -> None:
    with box.database.write() as connection:
        users.disable_user(connection, principal.name)


def _change_role(box: AccountsBox, principal: Principal, _: str) -> None:
    with box.database.write() as connection:
        users.update_user(connection, principal.name, {"role": "viewer"})


def _log_out(box: AccountsBox, principal: Principal, cookie: str) -> None:
    box.app.state.services.authenticator._end_session(principal, cookie)


@pytest.mark.parametrize("end", [_revoke, _disable, _change_role, _log_out])
def test_a_stream_ends_and_those_of_others_stay_open(box: AccountsBox, end: Any) -> None:
    services, job = box.app.state.services, box.add_job("mia")
    feeds, authenticator = services.event_feeds, services.authenticator

    async def follow(principal: Principal) -> None:
        async for _ in feeds.follow(job, 0, principal):
            pass

    async def run() -> None:
        cookie, kept = [await authenticator.log_in(_key(box, "mia")) for _ in range(2)]
        principal = await authenticator.of_session(cookie)
        stream = asyncio.create_task(follow(principal))
        other = asyncio.create_task(follow(await authenticator.of_session(kept)))
        ada = await authenticator.of_key(_key(box, "ada"))
        admin = asyncio.create_task(follow(ada))
        await asyncio.sleep(0.1)
        end(box, principal, cookie)
        await asyncio.wait_for(stream, 10)
        if end is not _log_out:
            await asyncio.wait_for(other, 10)
        assert not admin.done()
        assert other.done() == (end is not _log_out)
        for holder in (principal, ada):
            _revoke(box, holder, "")
        await asyncio.gather(other, admin)
        # Both tasks end when nobody waits any more, and with them their reads.
        rounds = (feeds._permits._task, services.watcher._task)
        await asyncio.gather(*(task for task in rounds if task is not None))

    asyncio.run(run())


@pytest.mark.parametrize(("is_revoked", "status"), [(False, 200), (True, 401)])
def test_a_long_poll_is_a_401_where_the_key_ended_during_the_wait(
    box: AccountsBox, is_revoked: bool, status: int
) -> None:
    job, headers = box.add_job("mia"), box.headers("mia", "read")
    services = box.app.state.services

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(box.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            poll = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=1", headers=headers))
            async with asyncio.timeout(10):
                while not services.watcher._waiting[job]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            if is_revoked:
                _revoke(box, await services.authenticator.of_key(_key(box, "mia")), "")
            return await poll

    assert asyncio.run(run()).status_code == status
