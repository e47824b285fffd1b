"""The commands for a job's results, with responses as the service sends them."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_service import http_service, send
from trainshed import job_results, result_tables
from trainshed.cli import main

JOB = "job_01m847ypybr28kppjvjqwjja05"
AT = f"/v1/jobs/{JOB}"
CLASSES = ["coat", "[red]boot[/red]"]

TOP_K = {
    "object": "top_k",
    "checkpoints": [
        {
            "checkpoint": f"ckpt_{name}",
            "name": name,
            "epoch": 2,
            "split": "test",
            "loss": 0.25,
            "accuracy": accuracy,
            "top_k": {"1": accuracy},
            "per_class": [
                {"label": 0, "name": CLASSES[0], "count": 40, "accuracy": 0.975},
                {"label": 1, "name": CLASSES[1], "count": 60, "accuracy": accuracy},
            ],
            "mistakes": [
                {"sample": 17, "label": 1, "predicted": 0, "probability": 0.9876},
                {"sample": 18, "label": 0, "predicted": 1, "probability": 0.5},
            ],
        }
        for name, accuracy in (("best_val_loss", 0.8), ("last", 0.7))
    ],
    "samples": {"checkpoint": "ckpt_last", "data": [], "has_more": False},
}
CELL = {
    "object": "list",
    "checkpoint": "ckpt_last",
    "data": [
        {
            "sample": 17,
            "label": 1,
            "label_name": CLASSES[1],
            "right": False,
            "classes": [{"class": 0, "name": "coat", "probability": 0.9876}],
        }
    ],
    "has_more": False,
}
PNG = b"\x89PNG"
CONFUSION = {"name": "last", "classes": CLASSES, "matrix": [[39, 1], [18, 42]]}


def _series(name: str, stage: str, *values: float | str, split: str = "train") -> dict[str, Any]:
    points = [{"epoch": n, "value": v} for n, v in enumerate(values, start=1)]
    return {"name": name, "split": split, "stage": stage, "points": points}


STAGES = [
    _series("val_loss", "warm_up", 0.9, 0.5, 0.7, split="validation"),
    _series("learning_rate", "fine_tune", 1e-5, 1e-5),
    _series("train_loss", "fine_tune", "nan"),
    _series("test_loss", "fine_tune", 0.6, split="test"),
]
CSV = b"label,coat\n"
ARTIFACT = {
    "id": "artifact_1",
    "object": "artifact",
    "name": "confusion-last.csv",
    "media_type": "text/csv",
    "bytes": len(CSV),
    "sha256": hashlib.sha256(CSV).hexdigest(),
    "download": "/file",
}
BODIES = {
    f"{AT}/top-k": TOP_K,
    f"{AT}/confusion": CONFUSION,
    f"{AT}/confusion/%5Bred%5Dboot%5B%2Fred%5D/%2E%2E": CELL,
    f"{AT}/artifacts": {"data": [ARTIFACT], "has_more": False},
    f"{AT}/metrics": {"data": STAGES},
}


#: Of sheets that were requested.
QUERIES: list[str] = []


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.delenv("COLUMNS", raising=False)


def _run(*arguments: str) -> int:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        if path == "/file":
            send(handler, 200, CSV)
        elif "format=sheet" in query:
            QUERIES.append(handler.path.removeprefix(AT))
            send(handler, 200, PNG)
        elif path.endswith("/metrics") and "name=" in query:
            send(handler, 200, b'{"data": []}')
        else:
            send(handler, 200, json.dumps(BODIES[path]).encode())

    with http_service(respond) as client:
        return main(["--url", client.url, *arguments])


def _cells(out: str, first_cell: str) -> list[str]:
    """Return the cells of the first row that begins with a cell."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]
    return next(row for row in rows if row[0] == first_cell)


class TestTopK:
    def test_classes_and_most_confident_mistakes_are_shown_by_name(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("top-k", JOB, "--limit", "1") == 0
        out = capsys.readouterr().out
        assert _cells(out, CLASSES[1]) == [
            CLASSES[1],
            "60",
            "70.00 %",
        ]  # of `last`
        assert out.index("70.00 %", out.index("worst first")) < out.index("97.50 %")
        assert _cells(out, "17") == ["17", CLASSES[1], "coat", "98.76 %"]
        assert "50.00 %" not in out  # beyond the limit

    def test_sheet_of_the_mistakes_is_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "new" / "mistakes.png"
        assert _run("top-k", JOB, "--sheet", str(file), "--limit", "5", "--after", "2") == 0
        assert (file.read_bytes(), capsys.readouterr().out) == (PNG, f"{file}\n")
        assert QUERIES[-1] == "/top-k/mistakes?after=2&limit=5&format=sheet"

    def test_json_holds_the_whole_response(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert _run("top-k", JOB, "--json") == 0
        assert json.loads(capsys.readouterr().out) == TOP_K


class TestConfusion:
    def test_matrix_has_a_row_for_each_label(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert _run("confusion", JOB) == 0
        out = capsys.readouterr().out
        assert next(line for line in out.splitlines() if "boot" in line).split()[-2:] == [
            "18",
            "42",
        ]
        assert _run("confusion", JOB, "--json") == 0
        assert json.loads(capsys.readouterr().out) == CONFUSION

    def test_samples_of_a_cell_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        # A class whose name would be another path.
        assert _run("confusion", JOB, "--cell", CLASSES[1], "..") == 0
        assert _cells(capsys.readouterr().out, "17")[:4] == ["17", CLASSES[1], "wrong", "coat"]
        assert _run("confusion", JOB, "--cell", CLASSES[1], "..", "--json") == 0
        assert json.loads(capsys.readouterr().out) == CELL

    def test_sheet_of_a_cell_is_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "cell.png"
        command = ("confusion", JOB, "--cell", "coat", "1", "--sheet", str(file))
        assert _run(*command, "--checkpoint", "last", "--json") == 0
        assert (file.read_bytes(), json.loads(capsys.readouterr().out)) == (
            PNG,
            {"path": str(file)},
        )
        assert QUERIES[-1] == "/confusion/coat/1?checkpoint=last&after=0&limit=20&format=sheet"

    def test_sheet_needs_a_cell(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert _run("confusion", JOB, "--sheet", "x.png") == 2
        assert "--cell TRUE PREDICTED" in capsys.readouterr().err

    def test_with_many_classes_the_most_frequent_confusions_are_listed(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(result_tables, "MAX_MATRIX_CLASSES", 1)
        assert _run("confusion", JOB) == 0
        out = capsys.readouterr().out
        assert _cells(out, CLASSES[1]) == [CLASSES[1], "coat", "18"]
        assert "42" not in out


class TestMetrics:
    def test_each_stage_has_its_rows_and_each_value_its_epoch(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("metrics", JOB) == 0
        out = capsys.readouterr().out
        ends = ["0.9000 (1)", "0.7000 (3)", "0.5000 (2)", "0.9000 (1)"]
        assert _cells(out, "val_loss") == ["val_loss", "warm_up", *ends]
        assert _cells(out, "learning_rate")[1:3] == ["fine_tune", "1e-05 (1)"]
        assert _cells(out, "train_loss")[2:] == ["nan (1)", "nan (1)", "", ""]

    def test_metrics_of_the_test_split_have_no_epoch(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("metrics", JOB) == 0
        assert _cells(capsys.readouterr().out, "test_loss")[2:] == ["", "0.6000", "", ""]

    def test_job_with_a_single_stage_has_no_stage_column(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(BODIES, f"{AT}/metrics", {"data": STAGES[:1]})
        assert _run("metrics", JOB) == 0
        assert "warm_up" not in capsys.readouterr().out

    def test_unknown_metric_is_refused_with_the_available_names(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("metrics", JOB, "--name", "val_los") == 4
        assert "val_loss, learning_rate" in capsys.readouterr().err


class TestArtifacts:
    def test_artifacts_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert _run("artifacts", JOB) == 0
        row = ["confusion-last.csv", "11 B", "text/csv"]
        assert _cells(capsys.readouterr().out, row[0]) == row
        assert _run("artifacts", JOB, "--json") == 0
        assert json.loads(capsys.readouterr().out) == [ARTIFACT]

    def test_artifact_is_downloaded_by_name_into_a_new_directory(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("artifacts", JOB, "confusion-last.csv", "-o", f"{tmp_path}/new/") == 0
        path = tmp_path / "new" / f"{JOB}-confusion-last.csv"
        assert path.read_bytes() == CSV
        assert capsys.readouterr().out == f"{path}\n"

    def test_unknown_artifact_is_refused_with_the_available_names(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _run("artifacts", JOB, "nothing.csv") == 4
        assert "confusion-last.csv" in capsys.readouterr().err


class TestExport:
    def test_file_is_downloaded_and_its_difference_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def respond(handler: BaseHTTPRequestHandler) -> None:
            assert handler.path == f"{AT}/checkpoints/best_val_loss/export?format=onnx"
            size = 1 if "Range" in handler.headers else len(CSV)
            headers = {
                "ETag": f'"{hashlib.sha256(CSV).hexdigest()}"',
                "Content_Disposition": f'attachment; filename="{JOB}-best_val_loss.onnx"',
                "Content_Range": f"bytes 0-0/{len(CSV)}",
                "Largest_Difference": "2.5e-07",
            }
            send(handler, 206 if size == 1 else 200, CSV[:size], **headers)

        with http_service(respond) as client:
            command = ["--url", client.url, "export", JOB, "--checkpoint", "best_val_loss"]
            assert main([*command, "--output", f"{tmp_path}/"]) == 0
            assert main([*command, "--output", f"{tmp_path}/other.onnx", "--json"]) == 0
        file = tmp_path / f"{JOB}-best_val_loss.onnx"
        assert file.read_bytes() == CSV == (tmp_path / "other.onnx").read_bytes()
        first, second, printed = capsys.readouterr().out.split("\n", 2)
        assert (first, second.split()[-1]) == (str(file), "2.5e-07")
        assert json.loads(printed)["largest_difference"] == 2.5e-07

    def test_export_that_takes_long_is_waited_for(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(job_results, "BUSY_SECONDS", 0)
        statuses = [503, 503, 409]

        def respond(handler: BaseHTTPRequestHandler) -> None:
            status = statuses.pop(0)
            problem = {"status": status, "title": "", "detail": "It continues."}
            send(
                handler,
                status,
                json.dumps(problem).encode(),
                Content_Type="application/problem+json",
            )

        with http_service(respond) as client:
            assert main(["--url", client.url, "export", JOB, "-o", str(tmp_path / "a")]) == 2
        assert statuses == []
        assert "It continues." in capsys.readouterr().err

    def test_reason_of_a_refusal_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        problem = {"status": 409, "title": "Conflict", "detail": "ONNX lacks the operation."}

        def respond(handler: BaseHTTPRequestHandler) -> None:
            send(
                handler, 409, json.dumps(problem).encode(), Content_Type="application/problem+json"
            )

        with http_service(respond) as client:
            assert main(["--url", client.url, "export", JOB]) != 0
        assert "ONNX lacks the operation." in capsys.readouterr().err
