"""Wrong usage ends with 2 and a sentence, whatever typer it is and wherever the mistake is."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.trainshed.service import say, service
from trainshed.cli import main


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_ADMIN_KEY", "k" * 20)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Usage:"),
        (["bogus"], "No such command"),
        (["list", "--bogus"], "No such option"),
        (["list", "--limit", "0"], "'--limit'"),
        (["show"], "Missing argument"),
        (["show", " "], "is empty"),
        (["follow", "--json"], "Missing argument"),
        (["submit", "spec.json", "--seed", "x"], "'--seed'"),
        (["submit", "no-such-file.json"], "cannot be read"),
        (["submit", "spec.json", "--tag", "a"], "key=value"),
        (["--url", "nonsense", "list"], "not an address"),
    ],
)
def test_wrong_usage_is_told_in_a_few_lines(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert "Traceback" not in out + err
    assert not arguments or len(err.splitlines()) <= 4


def test_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_not_the_service_s_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    rows = b'{"data": [{"id": "c", "name": "last"}], "has_more": false}'
    with service(lambda handler: say(handler, 200, rows)) as client:
        output = str(tmp_path / "file" / "below")
        assert main(["--url", client.url, "download", "job_x", "-o", output]) == 2
    assert "file" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_who_has_seen_enough_is_no_failure(options: list[str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        say(handler, 200, b'{"data": [], "has_more": false}')

    read, write = os.pipe()
    os.close(read)
    with service(answer) as client:
        command = [sys.executable, "-m", "trainshed", "--url", client.url, "datasets", *options]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_command_line_needs_no_click_beside_typer() -> None:
    """The wheel asks for typer alone, which has a click of its own."""
    script = "import sys; sys.modules['click'] = None; from trainshed.cli import main"
    script += "; sys.exit(main(['bogus']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
