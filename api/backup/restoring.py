"""Restores a backup into an empty box, all of it or nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from api.backup import rows
from api.backup.archive import CHUNK_BYTES, ROWS, STORAGE, UPLOADS, read_manifest, read_parts
from shared import tables, uploaded_datasets
from shared.database import Database
from shared.errors import Conflict, DamagedFile, DiskFull
from shared.jobs.attempts import Lease, stop
from shared.jobs.counts import usable
from shared.migrations import alembic_config
from shared.settings import Settings

#: The file that says that files of a restoration that did not end may be deleted.
MARK = ".restoring"
#: More changes than a job has between a backup and its restoration.
REVISION_GAP = 1_000_000
#: How much larger than a compressed part its rows are in a database, at most.
GROWTH = 20


def restore(settings: Settings, path: Path) -> dict[str, Any]:
    """Restore a backup; return its manifest.

    The database gets the revision of the backup first and is then migrated. Jobs that ran are
    queued and resume from their checkpoints.

    Raises:
        DamagedFile: the backup is damaged, incomplete, or was made by a newer version.
        Conflict: the box is not empty.
        DiskFull: there is no space for it.
    """
    manifest = read_manifest(path)
    _refuse_newer(path, manifest["revision"])
    settings.make_directories()
    database = Database(settings.database, pool_size=1)
    try:
        roots = {
            STORAGE: settings.storage,
            UPLOADS: uploaded_datasets.directory(settings.home),
        }
        _refuse_used(database, roots)
        _check_space(settings, manifest)
        with _all_or_nothing(roots), database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            _restore_parts(connection, path, manifest, roots)
            command.upgrade(alembic_config(connection), "head")
            _queue_running(connection)
            _outdate_etags(connection)
    finally:
        database.close()
    return manifest


def _refuse_newer(path: Path, revision: str) -> None:
    script = ScriptDirectory.from_config(alembic_config())
    if revision not in {each.revision for each in script.walk_revisions()}:
        raise DamagedFile(
            f"{path} has the database at revision {revision}, which this Trainshed does not know. "
            "It was made by a newer version: restore it with that version."
        )


def _refuse_used(database: Database, roots: dict[str, Path]) -> None:
    with database.read() as connection:
        used = bool(sa.inspect(connection).get_table_names())
    where = "the database has tables"
    if not used and not (roots[STORAGE] / MARK).exists():
        for root in roots.values():
            if root.is_dir() and any(not each.name.startswith(".") for each in root.iterdir()):
                used, where = True, f"there are files in {root}"
    if used:
        raise Conflict(
            f"The box is not empty: {where}. Restore into a new TRAINSHED_HOME, or an empty "
            "database and storage, before the first start."
        )


def _check_space(settings: Settings, manifest: dict[str, Any]) -> None:
    needed = 0
    for part in manifest["parts"]:
        is_rows = part["name"].startswith(f"{ROWS}/")
        needed += part["bytes"] * (GROWTH if is_rows else 1)
    free = shutil.disk_usage(settings.storage).free
    if needed > free:
        raise DiskFull(
            f"The backup needs up to {needed // 2**20 + 1} MiB; {settings.storage} has "
            f"{free // 2**20} MiB free. Free space, or set TRAINSHED_HOME to a larger disk."
        )


@contextmanager
def _all_or_nothing(roots: dict[str, Path]) -> Iterator[None]:
    """Delete what was restored if it does not end; a killed restoration is deleted by the next."""
    mark = roots[STORAGE] / MARK
    if mark.exists():
        _empty(roots)
    mark.touch()
    try:
        yield
    except BaseException:
        _empty(roots)
        mark.unlink(missing_ok=True)
        raise
    mark.unlink()


def _empty(roots: dict[str, Path]) -> None:
    for root in roots.values():
        for path in root.iterdir() if root.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink()


def _restore_parts(
    connection: sa.Connection, path: Path, manifest: dict[str, Any], roots: dict[str, Path]
) -> None:
    command.upgrade(alembic_config(connection), manifest["revision"])
    columns = rows.columns_of(connection)
    for table in reversed(columns):  # rows that migrations made
        connection.execute(sa.delete(sa.table(table)))
    for name, size, file in read_parts(path):
        root, _, rest = name.partition("/")
        if root == ROWS:
            table = rest.partition("/")[0]
            names = manifest["tables"][table]["columns"]
            rows.insert_part(connection, table, [{"name": each} for each in names], file)
        else:
            _restore_file(roots[root] / rest, file, size)
    rows.set_sequences(connection, manifest["sequences"])


def _restore_file(path: Path, file: Any, size: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as copy:
        shutil.copyfileobj(file, copy, CHUNK_BYTES)
        copy.flush()
        os.fsync(copy.fileno())
        assert copy.tell() == size


def _queue_running(connection: sa.Connection) -> None:
    """Queue the jobs that ran, as after a drain, and forget the workers that are not here."""
    jobs, attempts = tables.jobs.c, tables.attempts.c
    running = sa.select(jobs.id, jobs.attempt).where(jobs.state == "running")
    for job_id, attempt in connection.execute(running).all():
        stop(connection, Lease(job_id, attempt), "drained")
        # Nobody used the box between the backup and now.
        until = sa.func.coalesce(attempts.charged_until, attempts.started_at)
        is_ended = sa.and_(attempts.job_id == job_id, attempts.number == attempt)
        connection.execute(sa.update(tables.attempts).where(is_ended).values(ended_at=until))
    for table in (tables.workers, tables.leases):
        connection.execute(sa.delete(table))


def _outdate_etags(connection: sa.Connection) -> None:
    """Give each job a revision that no client has seen: of the time after the backup neither."""
    revision = usable(tables.jobs.c.revision) + REVISION_GAP
    connection.execute(sa.update(tables.jobs).values(revision=revision))
