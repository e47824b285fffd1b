"""Runs schemathesis against a running API; this module as a program runs all of its phases."""

import subprocess
import sys
import tempfile
from pathlib import Path

from shared import migrations
from shared.database import Database
from tests.api.service import KEY, Service, serve
from tests.conftest import postgresql_answers, postgresql_database
from tests.fakes.sidecar import accept_everything

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("schemathesis")
#: Random requests for each operation in `make test-schema`.
EXAMPLES = 60


def run(service: Service, *options: str) -> tuple[int, str]:
    """Run every check; return the exit code and the report.

    Args:
        service: the running API.
        *options: further options of the command.
    """
    arguments = ("--config-file", ROOT / "schemathesis.toml", "run", "--checks=all")
    address = f"{service.client.base_url}/openapi.json"
    key = ("--header", f"Authorization: Bearer {KEY}")
    with tempfile.TemporaryDirectory() as directory:  # for the files that it keeps
        done = subprocess.run(
            [COMMAND, *arguments, address, *key, "--seed=1", "--request-timeout=60", *options],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout + done.stderr


def _run_all(database_url: str) -> int:
    database = Database(database_url, pool_size=1)
    migrations.upgrade(database)
    database.close()
    with tempfile.TemporaryDirectory() as home, serve(database_url, Path(home)) as service:
        service.sidecar.respond = accept_everything
        service.start_job()
        options = (f"--max-examples={EXAMPLES}", "--continue-on-failure", "--no-shrink")
        code, output = run(service, *options)
    sys.stdout.write(output)
    return code


def main() -> int:
    """Run all phases on SQLite, and on PostgreSQL where it answers; return the exit code."""
    with tempfile.TemporaryDirectory() as directory:
        code = _run_all(f"sqlite:///{directory}/test.db")
    away = postgresql_answers()
    if away is not None:
        sys.stdout.write(f"skipped on PostgreSQL: {away}\n")
        return code
    with postgresql_database(None) as address:
        return _run_all(address) or code


if __name__ == "__main__":
    raise SystemExit(main())
