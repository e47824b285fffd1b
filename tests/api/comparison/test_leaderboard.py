"""`GET /v1/leaderboard`: the best jobs on a data set."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import tables
from shared.errors import Failure
from shared.ids import new_id
from shared.jobs import attempts
from tests.api.service import Service, metric_row

#: Of a second attempt.
OF_ATTEMPT = {"number": 2, "worker": "w", "host": "h", "device": "cpu", "first_step": 0}


def _job(service: Service, values: list[float], name: str = "val_accuracy", **changes: Any) -> str:
    lease = service.start_job(**changes)
    rows = [metric_row(name, 10 * epoch, value) for epoch, value in enumerate(values, start=1)]
    rows.append(metric_row("test_accuracy", 100, 1 - values[0], split="test"))
    service.record(lease, metrics=rows, latest={name: values[-1], "test_accuracy": 1 - values[0]})
    service.succeed(lease)
    return lease.job_id


def _leaderboard(service: Service, **params: Any) -> dict[str, Any]:
    params = {"dataset": "digits", **params}
    return service.client.get("/v1/leaderboard", params=params).raise_for_status().json()


def test_jobs_are_ranked_by_their_best_value_and_not_by_the_test(service: Service) -> None:
    low = _job(service, [0.1, 0.5], seed=1)
    high = _job(service, [0.2, 0.9, 0.3], seed=2)
    same = _job(service, [0.3, 0.9], seed=2)
    _job(service, [0.99], dataset="synthetic")
    service.submit()
    found = _leaderboard(service)
    assert found["object"] == "list"
    assert found["metric"] == {
        "name": "val_accuracy", "split": "validation", "unit": "fraction", "direction": "higher",
    }  # fmt: skip
    assert [(each["rank"], each["job"]) for each in found["data"]] == [
        (1, high),
        (1, same),
        (3, low),
    ]
    first = found["data"][0]
    assert (first["value"], first["epoch"], first["test"]) == (0.9, 2, {"test_accuracy": 0.8})
    values = {high: 2, same: 2, low: 1}
    assert found["differences"] == [{"pointer": "/seed", "values": values}]
    by_test = _leaderboard(service, metric="test_accuracy")
    assert [each["job"] for each in by_test["data"]] == [low, high, same]


def test_lower_losses_are_better_and_rank_where_no_job_has_an_accuracy(service: Service) -> None:
    assert _leaderboard(service)["metric"]["name"] == "val_accuracy"
    worse, better = (_job(service, [2.0, value], "val_loss") for value in (1.0, 0.5))
    found = _leaderboard(service)
    assert found["metric"]["name"] == "val_loss"
    assert [each["job"] for each in found["data"]] == [better, worse]


def test_pages_follow_the_ranks(service: Service) -> None:
    jobs = [_job(service, [value / 10]) for value in range(5)][::-1]
    seen: list[str] = []
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        cursor = {"after": seen[-1]} if seen else {}
        page = _leaderboard(service, limit=2, **cursor)
        assert [each["rank"] for each in page["data"]] == [
            len(seen) + number for number in range(1, 1 + len(page["data"]))
        ]
        seen += [each["job"] for each in page["data"]]
    assert seen == jobs
    params = {"dataset": "digits", "after": new_id("job")}
    assert service.client.get("/v1/leaderboard", params=params).status_code == 400


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        ({}, 422, "/query/dataset"),
        ({"dataset": "digitz"}, 404, "digits"),
        ({"dataset": "digits", "metric": "val_acuracy"}, 422, "Did you mean `val_accuracy`?"),
        ({"dataset": "digits", "metric": "learning_rate"}, 422, "neither higher nor lower"),
        ({"dataset": "digits", "after": "x"}, 400, "`after`"),
        ({"dataset": "digits", "limit": 101}, 422, "/query/limit"),
        ({"dataset": "digits", "metrics": "x"}, 422, "Did you mean `metric`?"),
    ],
)
def test_wrong_requests_say_what_is_allowed(
    service: Service, params: dict[str, Any], status: int, text: str
) -> None:
    response = service.client.get("/v1/leaderboard", params=params)
    assert response.status_code == status
    assert text in response.text


def test_jobs_without_a_rank_are_counted_and_listed_with_the_reason(service: Service) -> None:
    ranked = _job(service, [0.5])
    failing = service.start_job(name="failing")
    failure = Failure(kind="diverged", message="the loss is NaN", hint="Lower the learning rate.")
    with service.database.write() as connection:
        attempts.fail(connection, failing, failure)
    endless = _job(service, [math.nan])
    waiting = service.submit()
    service.submit(dataset="synthetic")
    board = _leaderboard(service)
    assert [each["job"] for each in board["data"]] == [ranked]
    assert board["left_out"] == {"failed": 1, "no_value": 2}
    params: dict[str, Any] = {"dataset": "digits", "limit": 2}
    pages = []
    while not pages or pages[-1]["has_more"]:
        answer = service.client.get("/v1/leaderboard/left-out", params=params)
        pages.append(answer.raise_for_status().json())
        params["after"] = pages[-1]["data"][-1]["job"]
    listed = [each for page in pages for each in page["data"]]
    assert [(each["job"], each["reason"]) for each in listed] == [
        (waiting, "no_value"),
        (endless, "no_value"),
        (failing.job_id, "failed"),
    ]
    assert listed[-1]["ending"] == "failed (diverged): the loss is NaN"
    assert listed[0]["architecture"] == "mlp"
    params["after"] = ranked
    assert service.client.get("/v1/leaderboard/left-out", params=params).status_code == 400


def test_an_entry_says_how_long_the_job_has_run(service: Service) -> None:
    lease = service.start_job()
    service.record(lease, metrics=[metric_row("val_accuracy", 10, 0.5)])
    service.succeed(lease)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    attempt = {"job_id": lease.job_id, "ended_at": begin + timedelta(seconds=7), **OF_ATTEMPT}
    with service.database.write() as connection:
        connection.execute(
            sa.update(tables.attempts)
            .where(tables.attempts.c.job_id == lease.job_id)
            .values(started_at=begin, ended_at=begin + timedelta(seconds=90))
        )
        connection.execute(sa.insert(tables.attempts).values(started_at=begin, **attempt))
    [entry] = _leaderboard(service)["data"]
    assert entry["seconds"] == 97.0
