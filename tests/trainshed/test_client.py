"""The Python client: names of jobs, arguments, numpy's numbers, frames."""

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from tests.fakes.http_service import http_service, request_body, send
from trainshed import ApiError, Client
from trainshed.errors import WrongUsage

JOBS = [{"id": f"job_01m847ypybr28kppjvjqwjja0{n}", "name": name} for n, name in enumerate("aab")]
POINTS = [
    {"step": n, "epoch": n, "value": value, "at": "2026-01-02T03:04:05Z"}
    for n, value in ((1, 0.5), (2, "nan"))
]
SERIES = [{"name": "val_loss", "split": "validation", "stage": "training", "points": POINTS}]


def _respond(handler: BaseHTTPRequestHandler) -> None:
    url = urlsplit(handler.path)
    if url.path == "/v1/jobs":
        named = parse_qs(url.query)["named"][0]
        found = [job for job in JOBS if job["id"].startswith(named) or job["name"] == named]
        body: Any = {"data": found, "has_more": False}
    elif url.path.endswith("/metrics"):
        body = {"data": SERIES}
    else:
        body = {"id": url.path.split("/")[3]}
    send(handler, 200, json.dumps(body).encode())


@pytest.mark.parametrize("name", ["b", JOBS[2]["id"]])
def test_a_job_is_found_by_its_name_or_its_id(name: str) -> None:
    with http_service(_respond) as client:
        assert client.get(name)["id"] == JOBS[2]["id"]
        for request in (client.cancel, client.pause, client.resume):
            assert request(name)["id"] == JOBS[2]["id"]


@pytest.mark.parametrize("name", ["a", "job_01m8"])
def test_a_name_of_several_jobs_is_refused_with_their_ids(name: str) -> None:
    with http_service(_respond) as client, pytest.raises(WrongUsage, match=JOBS[1]["id"]):
        client.get(name)


def test_an_unknown_name_is_not_found() -> None:
    with http_service(_respond) as client, pytest.raises(ApiError, match="no job 'c'") as error:
        client.get("c")
    assert error.value.status == 404


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.jobs(stat="failed"),
        lambda client: client.metrics("b", metric="val_loss"),
        lambda client: client.top_k("b", k=5),
        lambda client: client.logs("b", lines=5),
    ],
)
def test_an_unknown_argument_is_refused(call: Callable[[Any], Any]) -> None:
    with http_service(_respond) as client, pytest.raises(TypeError, match="unexpected keyword"):
        call(client)


def test_a_specification_may_hold_numbers_and_arrays_of_numpy() -> None:
    bodies = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(json.loads(request_body(handler)))
        send(handler, 202, b"{}")

    spec = {
        "seed": np.int64(3),
        "rate": np.float64(0.1),
        "flag": np.bool_(True),
        "units": np.array([64, 32]),
        "betas": (np.float32(0.5), 1),
        "weights": {np.int64(0): 1.0},
    }
    with http_service(respond) as client:
        client.submit(spec)
    plain = {"seed": 3, "rate": 0.1, "flag": True, "units": [64, 32], "betas": [0.5, 1]}
    assert bodies == [{**plain, "weights": {"0": 1.0}}]


def test_a_specification_that_is_nested_too_deeply_is_refused() -> None:
    spec: dict[str, Any] = {}
    for _ in range(5_000):
        spec = {"a": spec}
    with http_service(_respond) as client, pytest.raises(WrongUsage, match="nested too deeply"):
        client.submit(spec)


def test_the_representation_names_the_address_and_not_the_key() -> None:
    with Client("http://127.0.0.1:8123", "secret" * 4) as client:
        assert repr(client) == "Client('http://127.0.0.1:8123')"


def test_metrics_are_a_frame_with_a_row_for_each_point() -> None:
    with http_service(_respond) as client:
        frame = client.metrics("b", as_frame=True)
    assert [*frame.columns] == ["name", "split", "stage", "step", "epoch", "value", "at"]
    assert frame["value"].dtype == float
    assert frame["value"].isna().tolist() == [False, True]
    assert frame["at"][0] == pd.Timestamp("2026-01-02T03:04:05Z")


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with http_service(_respond) as client, pytest.raises(ImportError, match="pip install pandas"):
        client.metrics("b", as_frame=True)
