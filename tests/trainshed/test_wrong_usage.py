"""Wrong usage exits with 2 and a short message, with every version of typer."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.http_service import http_service, request_body, send
from trainshed import Client
from trainshed.cli import main
from trainshed.errors import WrongUsage


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage:"),
        (["bogus"], "No such command"),
        (["list", "--bogus"], "No such option"),
        (["list", "--limit", "0"], "'--limit'"),
        (["show"], "Missing argument"),
        (["show", " "], "is not an id"),
        (["cancel", ".."], "is not an id"),
        (["follow", "--json"], "Missing argument"),
        (["submit", "spec.json", "--seed", "x"], "'--seed'"),
        (["submit", "no-such-file.json"], "cannot be read"),
        (["submit", "spec.json", "--tag", "a"], "key=value"),
        (["--url", "nonsense", "list"], "not an address"),
        (["--url", "http://[::1", "list"], "not an address"),
        (["--url", "http://host:abc", "list"], "not an address"),
        (["show", "\udcff"], "cannot be encoded as utf-8"),
    ],
)
def test_message_has_at_most_four_lines(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in out + err
    assert not arguments or len(err.splitlines()) <= 4


@pytest.mark.parametrize("tags", ["null", '["a"]', '"a"', "1"])
def test_tags_of_a_file_must_be_an_object_to_be_added_to(
    tags: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(f'{{"dataset": "digits", "tags": {tags}}}')
    assert main(["submit", str(spec), "--tag", "a=b"]) == 2
    assert "`tags`" in capsys.readouterr().err


def test_file_that_is_nested_too_deeply_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("[" * 100_000)
    assert main(["validate", str(spec)]) == 2
    assert "nested" in capsys.readouterr().err


COMMANDS = (
    *("list", "show", "follow", "logs", "cancel", "pause", "resume", "retry", "set", "delete"),
    *("submit", "validate"),
    *("metrics", "top-k", "confusion", "checkpoints", "download", "artifacts", "tensorboard"),
    *("presets", "datasets", "upload", "weights"),
)
OPTIONS = (
    *("--json", "--tag", "--state", "--limit", "--after", "--seed", "--name", "--preset"),
    *("--attempt", "--checkpoint", "--dataset", "--output", "-o", "-f", "--", "-"),
)
#: As Python decodes arguments: bytes that are not UTF-8 become lone surrogates.
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")) | st.binary(
    max_size=4
).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))


def test_random_arguments_never_exit_with_the_code_of_a_failed_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    problem = b'{"status": 404, "detail": "no"}'
    with http_service(lambda handler: send(handler, 404, problem)) as client:

        @settings(deadline=None, derandomize=True, database=None, max_examples=100)
        @given(
            command=st.sampled_from(COMMANDS),
            rest=st.lists(st.sampled_from(OPTIONS) | WORDS, max_size=4),
        )
        def run(command: str, rest: list[str]) -> None:
            assert main(["--url", client.url, command, *rest]) in {0, 2, 4}

        run()


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(WORDS | st.text("[]:/.@%#?a19-", max_size=12).map("http://{}".format))
def test_random_url_is_valid_or_refused(text: str) -> None:
    try:
        client = Client(text or " ", "k" * 20)
    except WrongUsage:
        return
    host, port = client.http.base_url.host, client.http.base_url.port
    client.close()
    assert host.encode("idna")
    assert port is None or 0 <= port <= 65_535


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out


def test_file_that_cannot_be_written_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    rows = b'{"data": [{"id": "c", "name": "last"}], "has_more": false}'
    with http_service(lambda handler: send(handler, 200, rows)) as client:
        output = str(tmp_path / "file" / "below")
        assert main(["--url", client.url, "download", "job_x", "-o", output]) == 2
    assert "file" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_closed_pipe_is_no_error(options: list[str]) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, b'{"data": [], "has_more": false}')

    read, write = os.pipe()
    os.close(read)
    with http_service(respond) as client:
        command = [sys.executable, "-m", "trainshed", "--url", client.url, "datasets", *options]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_command_line_needs_no_separate_click() -> None:
    """The wheel requires only typer, which may bundle click."""
    script = "import sys; sys.modules['click'] = None; from trainshed.cli import main"
    script += "; sys.exit(main(['bogus']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_file_is_decoded_as_json_with_every_terminal_encoding(
    encoding: str, tmp_path: Path
) -> None:
    (tmp_path / "spec.json").write_bytes('{"name": "Größe", "dataset": "digits"}'.encode(encoding))
    bodies: list[bytes] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(request_body(handler))
        send(handler, 202, b'{"id": "job_x", "warnings": []}')

    with http_service(respond) as client, (tmp_path / "spec.json").open("rb") as spec:
        done = subprocess.run(
            [sys.executable, "-m", "trainshed", "--url", client.url, "submit", "-"],
            stdin=spec,
            env=os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
            capture_output=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"job_x\n"), done.stderr
    assert json.loads(bodies[0])["name"] == "Größe"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_terminal_without_a_character_shows_the_others(options: list[str]) -> None:
    summary = "λ is a penalty"
    rows = [{"name": "a", "title": summary, "teaches": ""}]
    page = json.dumps({"data": rows, "has_more": False}).encode()
    with http_service(lambda handler: send(handler, 200, page)) as client:
        done = subprocess.run(
            [sys.executable, "-m", "trainshed", "--url", client.url, "presets", *options],
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert b"is a penalty" in done.stdout
    if options:
        assert json.loads(done.stdout) == rows
