"""The code of docs/comparing.md runs as it stands."""

import json
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.http_service import http_service, send

TEXT = (Path(__file__).parents[2] / "docs" / "comparing.md").read_text()
PLAIN, WITH_PANDAS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
IDS = {"slow": "job_01m847ypybr28kppjvjqwjja05", "fast": "job_01m847ypybr28kppjvjqwjja06"}
VALUES = {IDS["slow"]: [0.25, 0.5], IDS["fast"]: [0.75, 0.625]}
NAMES = ("val_accuracy", "train_eval_loss", "val_data_loss")


def _respond(handler: BaseHTTPRequestHandler) -> None:
    url = urlsplit(handler.path)
    query = parse_qs(url.query)
    if url.path == "/v1/jobs":
        job = {"id": IDS[query["named"][0]], "name": query["named"][0]}
        page: dict[str, Any] = {"data": [job], "has_more": False}
    else:
        points = [
            {"step": n, "epoch": n, "value": value, "at": "2026-01-02T03:04:05Z"}
            for n, value in enumerate(VALUES[url.path.split("/")[3]], start=1)
        ]
        page = {
            "data": [
                {"name": name, "split": "validation", "stage": "training", "points": points}
                for name in query.get("name", NAMES)
            ]
        }
    send(handler, 200, json.dumps(page).encode())


def _run(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the code in a notebook's namespace and return its variables."""
    variables: dict[str, Any] = {}
    with http_service(_respond) as client:
        monkeypatch.setenv("TRAINSHED_URL", client.url)
        monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
        exec(code, variables)  # noqa: S102
        variables["client"].close()
    return variables


def test_the_code_for_a_notebook_reads_the_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = _run(PLAIN, monkeypatch)
    assert variables["curve"] == {"slow": [0.25, 0.5], "fast": [0.75, 0.625]}
    assert variables["best"] == {"slow": 0.5, "fast": 0.75}


def test_the_code_with_pandas_makes_a_curve_of_each_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = _run(PLAIN + WITH_PANDAS, monkeypatch)["curves"]
    assert curves["fast", "val_data_loss"].tolist() == [0.75, 0.625]
    assert {*curves.columns} == {(j, name) for j in IDS for name in NAMES[1:]}
