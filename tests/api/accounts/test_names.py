"""Names of forks and of people where several people choose them at once."""

from collections.abc import Iterator
from concurrent import futures

import pytest

from api.jobs import forks
from shared.accounts import users
from tests.api.accounts_box import AccountsBox, accounts_box


@pytest.fixture
def box(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    """Return an application over each kind of database."""
    with accounts_box(database_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened


def test_a_fork_is_named_among_the_jobs_of_its_owner(box: AccountsBox) -> None:
    source = box.add_job("mia", name="vgg")
    for owner, name in (("mia", "vgg-fork"), ("otto", "vgg-fork"), ("otto", "vgg-fork-2")):
        box.add_job(owner, name=name)
    names = {
        owner: forks.prepare(
            box.app.state.services, source, {"patch": []}, owner=owner, is_bare=False
        ).spec["name"]
        for owner in ("mia", "otto", "ada")
    }
    assert names == {"mia": "vgg-fork-2", "otto": "vgg-fork-3", "ada": "vgg-fork"}


def test_the_second_of_two_people_with_a_name_is_a_conflict(box: AccountsBox) -> None:
    headers, body = box.headers("ada", "admin"), {"name": "eve"}
    with futures.ThreadPoolExecutor(1) as pool:
        with box.database.write() as connection:
            users.add_user(connection, "eve", "viewer", weight=1.0, limits={})
            second = pool.submit(box.client.post, "/v1/users", json=body, headers=headers)
            with pytest.raises(futures.TimeoutError):
                second.result(timeout=0.5)
        response = second.result()
    assert response.status_code == 409, response.text
    assert "PATCH /v1/users/eve" in response.json()["detail"]
    assert box.request("ada", "admin", "GET", "/v1/users/eve").json()["role"] == "viewer"
