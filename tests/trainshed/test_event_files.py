"""Event files: a zip of no known length, unpacked where TensorBoard finds it and nowhere else."""

import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.fakes.http_service import http_service
from trainshed import Unreachable, downloading
from trainshed.cli import main

JOB = "job_01m847ypybr28kppjvjqwjja05"
FILE = "events.out.tfevents.1"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.setattr(downloading, "PAUSE_SECONDS", 0)
    monkeypatch.chdir(tmp_path)


def _zip(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, f"events of {name}")
    return made.getvalue()


def _send(handler: BaseHTTPRequestHandler, content: bytes, *, whole: bool = True) -> None:
    """In chunks, as what is made while it is sent; or half of it."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in (content[: len(content) // 2], content[len(content) // 2 :] if whole else b""):
        if part:
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    if whole:
        handler.wfile.write(b"0\r\n\r\n")
    handler.close_connection = True


def test_they_lie_in_a_folder_of_the_job_s_and_it_is_said_how_to_look_at_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = _zip(f"{JOB}/{FILE}")
    with http_service(lambda handler: _send(handler, content)) as client:
        assert main(["--url", client.url, "tensorboard", JOB]) == 0
        out = capsys.readouterr().out
        assert main(["--url", client.url, "tensorboard", JOB, "-o", "a b", "--json"]) == 0
    path = tmp_path / f"{JOB}-tensorboard" / JOB / FILE
    assert path.read_text() == f"events of {JOB}/{FILE}"
    assert f"tensorboard --logdir {JOB}-tensorboard\n" in out
    files = [f"a b/{JOB}/{FILE}"]
    assert json.loads(capsys.readouterr().out) == {"directory": "a b", "files": files}


def test_newer_ones_take_the_place_of_those_before_and_no_other_job_s(tmp_path: Path) -> None:
    for job in (JOB, "job_other"):
        (tmp_path / "runs" / job).mkdir(parents=True)
        (tmp_path / "runs" / job / FILE).write_text("old")
    content = _zip(f"{JOB}/{FILE}")
    with http_service(lambda handler: _send(handler, content)) as client:
        assert client.tensorboard(JOB, "runs") == Path("runs")
    assert (tmp_path / "runs" / JOB / FILE).read_text() != "old"
    assert (tmp_path / "runs" / "job_other" / FILE).read_text() == "old"
    assert [one.name for one in (tmp_path / "runs" / JOB).iterdir()] == [FILE]


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/evil",
        f"{JOB}/../evil",
        f"{JOB}/..",
        f"{JOB}/below/evil",
        f"{JOB}\\..\\evil",
        f"{JOB}/a\\..\\evil",
        f"{JOB}/c:evil",
        "evil",
        "job_other/evil",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    content = _zip(f"{JOB}/{FILE}", name)
    with (
        http_service(lambda handler: _send(handler, content)) as client,
        pytest.raises(Unreachable, match="leads elsewhere"),
    ):
        client.tensorboard(JOB)
    assert [*tmp_path.rglob("*")] == []


def test_one_that_broke_off_begins_anew(tmp_path: Path) -> None:
    content, asked, seen = _zip(f"{JOB}/{FILE}"), [], []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers.get("Range"))
        _send(handler, content, whole=len(asked) > 1)

    with http_service(answer) as client:
        client.tensorboard(JOB, progress=seen.append)
    assert asked == [None, None]
    assert seen[-1] == len(content)
    assert (tmp_path / f"{JOB}-tensorboard" / JOB / FILE).exists()


@pytest.mark.parametrize("breaks", [True, False])
def test_what_never_comes_whole_leaves_nothing(tmp_path: Path, *, breaks: bool) -> None:
    content = _zip(f"{JOB}/{FILE}") if breaks else b"no zip"
    with (
        http_service(lambda handler: _send(handler, content, whole=not breaks)) as client,
        pytest.raises(Unreachable),
    ):
        client.tensorboard(JOB)
    assert [*tmp_path.rglob("*")] == []
