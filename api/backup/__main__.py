"""`python -m api.backup write FILE` and `python -m api.backup restore FILE`.

`write -` writes to standard output. Exit codes: 2 if the request is refused, with a sentence that
says why, and 3 if another backup is being made.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from api.backup.restoring import restore
from api.backup.writing import write_backup
from shared import logs
from shared.errors import Conflict, ServiceError
from shared.settings import Settings, read_settings

REFUSED, BUSY = 2, 3
#: So that requests and trainings go first.
NICENESS = 10


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m api.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("write", "write a backup of the box, also while it runs"),
        ("restore", "restore a backup into an empty box"),
    ):
        commands.add_parser(name, help=text).add_argument("file", metavar="FILE")
    options = parser.parse_args(arguments)
    settings = read_settings()
    logs.configure("backup", "WARNING")
    # Ends with an exception, which removes what is unfinished.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        if options.command == "write":
            return _write(settings, options.file)
        manifest = restore(settings, Path(options.file))
    except ServiceError as error:
        sys.stderr.write(f"{error.detail}\n")
        is_busy = isinstance(error, Conflict) and options.command == "write"
        return BUSY if is_busy else REFUSED
    except OSError as error:
        sys.stderr.write(f"The {options.command} failed: {error}\n")
        return REFUSED
    count = sum(table["rows"] for table in manifest["tables"].values())
    print(f"restored {count} rows of {manifest['created_at']}; start the box with `make up`")  # noqa: T201
    return 0


def _write(settings: Settings, name: str) -> int:
    os.nice(NICENESS)
    if name == "-":
        write_backup(settings, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    path = Path(name)
    if path.exists():
        sys.stderr.write(f"{path} exists already; name another file.\n")
        return REFUSED
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            written = write_backup(settings, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    for missing in written["missing"]:
        sys.stderr.write(f"missing on the box: {missing}\n")
    print(f"{path}: {written['rows']} rows, {written['files']} files, {written['bytes']} bytes")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
