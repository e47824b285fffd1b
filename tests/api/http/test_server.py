"""The process that serves the API: there is one, with as many open files as are allowed."""

import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from api.http.server import options
from shared.settings import Settings
from tests.e2e.compose_file import services

PROGRAM = """
import resource
from api.http.server import raise_file_limit
_, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard_limit))
raise_file_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard_limit, hard_limit)
"""


def test_limit_of_open_files_is_raised_to_the_maximum() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_the_api_is_one_process_so_that_limits_of_requests_are_exact(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert uvicorn.Config("api:app", **options(Settings(home=tmp_path))).workers == 1
    part = services()["api"]
    assert part["command"] == ["python", "-m", "api"]
    assert "deploy" not in part
    assert "scale" not in part
