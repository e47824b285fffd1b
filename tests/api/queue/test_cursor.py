"""Cursors of `GET /v1/queue`: pages without gaps or repeats for everybody, and no ids of others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.queue.cursor import cursor_of
from api.services.principal import Visibility
from shared.jobs import control
from tests.api.accounts_box import AccountsBox, accounts_box


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsBox]:
    home: Path = tmp_path_factory.mktemp("cursors")
    with accounts_box(f"sqlite:///{home / 'test.db'}", home) as box:
        for number in range(7):
            box.add_job("otto" if number % 2 else "mia")
        yield box


def _get(box: AccountsBox, query: str, name: str = "mia", status: int = 200) -> Any:
    box.app.state.services.queue_order._read_at = float("-inf")
    response = box.request(name, "admin" if name == "ada" else "read", "GET", f"/v1/queue?{query}")
    assert response.status_code == status, response.text
    return response.json()


@pytest.mark.parametrize("visibility", ["queue", "team", "private"])
@pytest.mark.parametrize("limit", [1, 3])
def test_everybody_reads_the_whole_queue_page_by_page(
    opened: AccountsBox, visibility: Visibility, limit: int
) -> None:
    opened.set_visibility(visibility)
    found: list[int] = []
    page = _get(opened, f"limit={limit}")
    found += [row["position"] for row in page["data"]]
    while page["has_more"]:
        page = _get(opened, f"limit={limit}&after={page['data'][-1]['cursor']}")
        found += [row["position"] for row in page["data"]]
    assert found == list(range(1, 8))


def test_a_cursor_does_not_show_the_id_of_the_job(opened: AccountsBox) -> None:
    opened.set_visibility("queue")
    jobs = {row["position"]: row["job"] for row in _get(opened, "", "ada")["data"]}
    for row in _get(opened, "")["data"]:
        assert row["cursor"] == cursor_of(jobs[row["position"]], row["position"])
        assert jobs[row["position"]].removeprefix("job_")[10:] not in row["cursor"]


def test_an_entry_is_found_where_it_stands_now_and_else_its_position_counts(
    opened: AccountsBox,
) -> None:
    jobs = [row["job"] for row in _get(opened, "", "ada")["data"]]
    assert (
        _get(opened, f"limit=1&after={cursor_of(jobs[2], 6)}", "ada")["data"][0]["job"] == jobs[3]
    )
    cursor = _get(opened, "", "ada")["data"][2]["cursor"]
    with opened.database.write() as connection:
        control.request_cancel(connection, jobs[2])
    page = _get(opened, f"after={cursor}", "ada")
    assert [row["job"] for row in page["data"]] == jobs[3:]


def test_the_id_of_a_job_is_a_cursor_for_those_who_may_read_it(opened: AccountsBox) -> None:
    opened.set_visibility("queue")
    rows = _get(opened, "", "ada")["data"]
    own = next(row for row in rows if row["owner"] == "mia")
    other = next(row for row in rows if row["owner"] == "otto")
    page = _get(opened, f"after={own['job']}&limit=1")
    assert page["data"][0]["position"] == own["position"] + 1
    for after in (other["job"], "job_" + "0" * 26, "queue_x", "1"):
        problem = _get(opened, f"after={after}", status=400)
        assert after in problem["detail"]
        assert "cursor" in problem["detail"]
