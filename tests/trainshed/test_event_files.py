import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.fakes.http_service import http_service
from trainshed import Unreachable, downloads
from trainshed.cli import main

JOB = "job_01m847ypybr28kppjvjqwjja05"
FILE = "train/events.out.tfevents.1"
NAMED = f"vgg-l2-{JOB}"


@pytest.fixture(autouse=True)
def _in_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)
    monkeypatch.setattr(downloads, "RETRY_SECONDS", 0)
    monkeypatch.chdir(tmp_path)


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, f"events of {name}")
    return buffer.getvalue()


def _send(handler: BaseHTTPRequestHandler, content: bytes, *, is_whole: bool = True) -> None:
    """Send the content in chunks without its size, or the first half of it."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in (content[: len(content) // 2], content[len(content) // 2 :] if is_whole else b""):
        if part:
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    if is_whole:
        handler.wfile.write(b"0\r\n\r\n")
    handler.close_connection = True


def test_event_files_have_a_folder_per_job_and_the_command_to_view_them_is_printed(
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


def test_a_folder_has_the_name_of_the_job_and_a_folder_for_each_run(tmp_path: Path) -> None:
    files = [f"{NAMED}/{FILE}", f"{NAMED}/validation/events.out.tfevents.2"]
    with http_service(lambda handler: _send(handler, _zip(*files))) as client:
        client.tensorboard(JOB, "runs")
    for file in files:
        assert (tmp_path / "runs" / file).read_text() == f"events of {file}"


def test_new_event_files_replace_older_files_of_the_same_job_only(tmp_path: Path) -> None:
    for job in (JOB, "job_other"):
        (tmp_path / "runs" / job / "train").mkdir(parents=True)
        (tmp_path / "runs" / job / FILE).write_text("old")
    content = _zip(f"{JOB}/{FILE}")
    with http_service(lambda handler: _send(handler, content)) as client:
        assert client.tensorboard(JOB, "runs") == Path("runs")
    assert (tmp_path / "runs" / JOB / FILE).read_text() != "old"
    assert (tmp_path / "runs" / "job_other" / FILE).read_text() == "old"
    assert [path.name for path in (tmp_path / "runs" / JOB / "train").iterdir()] == [
        FILE.removeprefix("train/")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/evil",
        f"{JOB}/../evil",
        f"{JOB}/..",
        f"{JOB}/evil",
        f"{JOB}/train/..",
        f"{JOB}/train/below/evil",
        f"{JOB}/../../evil",
        f"../{JOB}/train/evil",
        f"a/b-{JOB}/train/evil",
        f"{JOB}\\..\\evil",
        f"{JOB}/train/a\\..\\evil",
        f"{JOB}/train/c:evil",
        "evil",
        "job_other/train/evil",
        f"{NAMED}/{FILE}",
    ],
)
def test_path_outside_of_the_folder_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    content = _zip(f"{JOB}/{FILE}", name)
    with (
        http_service(lambda handler: _send(handler, content)) as client,
        pytest.raises(Unreachable, match=r"a path outside of|2 folders"),
    ):
        client.tensorboard(JOB)
    assert [*tmp_path.rglob("*")] == []


def test_broken_download_starts_over(tmp_path: Path) -> None:
    content, ranges, sizes = _zip(f"{JOB}/{FILE}"), [], []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        ranges.append(handler.headers.get("Range"))
        _send(handler, content, is_whole=len(ranges) > 1)

    with http_service(respond) as client:
        client.tensorboard(JOB, progress=sizes.append)
    assert ranges == [None, None]
    assert sizes[-1] == len(content)
    assert (tmp_path / f"{JOB}-tensorboard" / JOB / FILE).exists()


@pytest.mark.parametrize("breaks", [True, False])
def test_download_that_never_succeeds_leaves_no_file(tmp_path: Path, *, breaks: bool) -> None:
    content = _zip(f"{JOB}/{FILE}") if breaks else b"no zip"
    with (
        http_service(lambda handler: _send(handler, content, is_whole=not breaks)) as client,
        pytest.raises(Unreachable),
    ):
        client.tensorboard(JOB)
    assert [*tmp_path.rglob("*")] == []
