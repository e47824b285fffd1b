"""`trainshed predict`: which files are sent, in which requests, and what is printed."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_service import http_service, send
from trainshed import Client, job_results, prediction_input
from trainshed.cli import main
from trainshed.errors import WrongUsage

JOB = "job_01m847ypybr28kppjvjqwjja05"


class Predicting:
    """Answers with a class, or a value, for each part or row, and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies = list[bytes]()
        self.is_number = False

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.bodies.append(body)
        if handler.headers["Content-Type"] == "application/json":
            names = [f"row {number + 1}" for number in range(len(json.loads(body)["rows"]))]
        else:
            names = [part.split(b'"')[0].decode() for part in body.split(b'filename="')[1:]]
        value: dict[str, Any] = {"top_k": [{"class": "cat\x1b[31m", "probability": 0.75}]}
        value = {"value": 2.5} if self.is_number else value
        rows = [{"name": name, **value} for name in names]
        answer = {"object": "list", "checkpoint": "last", "data": rows}
        send(handler, 200, json.dumps(answer).encode(), **{"Content-Type": "application/json"})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Predicting]:
    predicting = Predicting()
    with http_service(predicting) as client:
        monkeypatch.setenv("TRAINSHED_URL", client.url)
        monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
        yield predicting


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(70):
        (folder / f"{number:02}.PNG").write_bytes(b"picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_folder_is_sent_in_requests_of_64_pictures(service: Predicting, pictures: Path) -> None:
    with Client() as client:
        predictions = client.predict(JOB, [pictures, pictures / "notes.txt"])
    assert len(service.bodies) == 2
    expected = [*[f"{number:02}.PNG" for number in range(70)], "notes.txt"]
    assert [row["name"] for row in predictions] == expected


def test_requests_stay_below_the_size_that_the_service_takes(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_input, "MAX_BYTES", 20)
    groups = list(prediction_input.in_requests(prediction_input.find_pictures([pictures])))
    assert {len(group) for group in groups} == {2}


def test_rows_of_a_csv_file_are_sent_without_its_texts(service: Predicting, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("\ufefflength,kind,width\n1.5,long,2\n3,,4e1\n")
    service.is_number = True
    with Client() as client:
        predictions = client.predict(JOB, [table])
    assert json.loads(service.bodies[0]) == {
        "rows": [{"length": 1.5, "width": 2.0}, {"length": 3.0, "width": 40.0}]
    }
    assert [row["value"] for row in predictions] == [2.5, 2.5]


def test_table_of_classes_is_printed_without_control_characters(
    service: Predicting, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", JOB, str(pictures / "00.PNG")]) == 0
    printed = capsys.readouterr().out
    assert "00.PNG" in printed
    assert "75.00 %" in printed
    assert "\x1b[31m" not in printed


def test_values_of_a_regression_are_printed(
    service: Predicting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("a\n1\n")
    service.is_number = True
    assert main(["predict", JOB, str(tmp_path / "new.csv")]) == 0
    assert "2.5" in capsys.readouterr().out
    assert main(["predict", JOB, str(tmp_path / "new.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "row 1", "value": 2.5}]


ARTIFACT: dict[str, Any] = {
    "id": "artifact_1",
    "object": "artifact",
    "name": "predictions-a-test.csv",
    "bytes": 3,
    "sha256": hashlib.sha256(b"a,b").hexdigest(),
    "download": "/file",
}


class TestDataset:
    @pytest.fixture
    def bodies(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
        """Serve predictions of a data set that are busy once and complete at the third request."""
        bodies: list[Any] = []

        def respond(handler: BaseHTTPRequestHandler) -> None:
            if handler.path == "/file":
                send(handler, 200, b"a,b")
                return
            if handler.command == "GET":
                page = {"data": [ARTIFACT], "has_more": False}
                send(handler, 200, json.dumps(page).encode())
                return
            length = int(handler.headers["Content-Length"])
            bodies.append((handler.path, json.loads(handler.rfile.read(length))))
            if len(bodies) == 1:
                send(handler, 503, b"{}", Content_Type="application/problem+json")
                return
            artifact = ARTIFACT if len(bodies) == 3 else None
            state = {"samples": 9, "done": 3 * len(bodies), "artifact": artifact}
            send(handler, 202 if artifact is None else 200, json.dumps(state).encode())

        monkeypatch.setattr(job_results, "BUSY_SECONDS", 0)
        monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
        with http_service(respond) as client:
            monkeypatch.setenv("TRAINSHED_URL", client.url)
            yield bodies

    def test_request_is_repeated_until_the_file_is_complete(
        self, bodies: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["predict", JOB, "--dataset", "flowers@2", "--split", "test"]
        file = tmp_path / "new.csv"
        assert main([*command, "--checkpoint", "last", "-o", str(file), "--json"]) == 0
        body = {"dataset": "flowers@2", "split": "test"}
        assert bodies == [(f"/v1/jobs/{JOB}/predictions?checkpoint=last", body)] * 3
        assert file.read_bytes() == b"a,b"
        printed = json.loads(capsys.readouterr().out)
        assert printed == {"path": str(file), "artifact": ARTIFACT}

    def test_files_or_a_data_set_are_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments in ([], ["a.png", "--dataset", "flowers"], ["a.png", "--split", "test"]):
            assert main(["predict", JOB, *arguments]) == 2
            assert "--dataset" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.png", "empty", "empty.csv"])
def test_files_that_cannot_be_sent_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(WrongUsage, match=name):
        list(prediction_input.prediction_bodies([tmp_path / name]))
