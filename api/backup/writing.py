"""Writes a backup while jobs run: all rows of one moment, and every file that they refer to.

Rows and links are made first, in one transaction that only reads, so that a slow receiver keeps
neither the transaction open nor a file from being deleted.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from api.backup import rows
from api.backup.archive import ROWS, ArchiveWriter
from api.backup.kept_files import KeptFiles
from shared.clock import now, rfc3339
from shared.database import Database
from shared.errors import Conflict, Unavailable
from shared.settings import Settings

#: How often a new state of the database is read because files were deleted meanwhile.
ROUNDS = 5
SPOOL = ".backup-rows"
#: The file whose time is that of the last complete backup.
LAST = ".backup-last"


def write_backup(settings: Settings, target: BinaryIO) -> dict[str, Any]:
    """Write a backup of the box; return how many rows, files and bytes it has.

    Args:
        settings: of the box.
        target: is only written, so it may be a pipe.

    Raises:
        Conflict: another backup of the box is being made.
        Unavailable: the database does not answer, or belongs to no box yet.
        OSError: the disk is full, or the target takes no more.
    """
    spool = settings.storage / SPOOL
    kept = KeptFiles(settings)
    with _only_one(settings), _without_traces(kept, spool):
        began_at = now()
        manifest = _read(settings, kept, spool)
        archive = ArchiveWriter(target)
        for table in manifest["tables"]:
            for path in sorted((spool / table).iterdir()):
                with path.open("rb") as file:
                    name = f"{ROWS}/{table}/{path.name}"
                    archive.add(name, file, path.stat().st_size)
                path.unlink()
        for name, file in kept.open_all():
            with file:
                # Of a file that grows, as a log does, what there is now.
                archive.add(name, file, os.fstat(file.fileno()).st_size)
        archive.close({"created_at": rfc3339(began_at), **manifest})
        target.flush()
        (settings.storage / LAST).touch()
    return {
        "rows": sum(table["rows"] for table in manifest["tables"].values()),
        "files": sum(not part["name"].startswith(f"{ROWS}/") for part in archive.parts),
        "bytes": sum(part["bytes"] for part in archive.parts),
        "missing": manifest["missing"],
    }


def last_backup_at(settings: Settings) -> float:
    """Return the Unix time of the last complete backup, in seconds; 0 if none is known."""
    try:
        return (settings.storage / LAST).stat().st_mtime
    except OSError:
        return 0.0


def _read(settings: Settings, kept: KeptFiles, spool: Path) -> dict[str, Any]:
    """Link the files and write the rows of one state of the database."""
    database = Database(settings.database, pool_size=1)
    try:
        for turn in range(1, ROUNDS + 1):
            with database.read() as connection:
                _prepare(connection)
                revision = MigrationContext.configure(connection).get_current_revision()
                if revision is None:
                    raise Unavailable("There is nothing to back up: the database has no tables.")
                missing = kept.link(connection)
                # What was deleted after this state was read is in no later state.
                if missing and turn < ROUNDS:
                    continue
                tables = _write_rows(connection, spool)
                return {
                    "revision": revision,
                    "tables": tables,
                    "sequences": rows.read_sequences(connection, tables),
                    "missing": missing,
                }
    finally:
        database.close()
    raise AssertionError


def _write_rows(connection: sa.Connection, spool: Path) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for table, columns in rows.columns_of(connection).items():
        count = rows.write_parts(rows.read(connection, table, columns), spool / table)
        tables[table] = {"columns": [each["name"] for each in columns], "rows": count}
    return tables


def _prepare(connection: sa.Connection) -> None:
    """Allow the transaction to take long."""
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of backups, which the kernel releases when this process ends."""
    if not settings.storage.is_dir():
        raise Unavailable(
            f"There is nothing to back up in {settings.home}: no box has started there. "
            "TRAINSHED_HOME names another directory."
        )
    with (settings.storage / ".backup.lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "Another backup of this box is being made; wait until it has ended."
            ) from error
        yield


@contextmanager
def _without_traces(kept: KeptFiles, spool: Path) -> Iterator[None]:
    """Leave nothing behind; first remove what a killed backup left."""
    try:
        _remove(kept, spool)
        spool.mkdir(mode=0o700)
        yield
    finally:
        _remove(kept, spool)


def _remove(kept: KeptFiles, spool: Path) -> None:
    kept.delete_links()
    shutil.rmtree(spool, ignore_errors=True)
