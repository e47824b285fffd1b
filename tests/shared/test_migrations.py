"""Migrations up and down, with jobs that run meanwhile."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared import migrations, tables
from shared.database import Database
from shared.jobs import attempts
from shared.jobs.events import NewEvent
from shared.jobs.recording import Batch, record
from shared.jobs.submission import Submission, submit
from tests.shared.rows import notes
from tests.shared.specs import filled_in
from tests.worker.jobs import claimed_again


def _names(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names())


def test_upgrade_after_downgrade_gives_the_tables_of_the_code(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=2)
    migrations.upgrade(database)
    assert _names(database) == {*tables.metadata.tables, "alembic_version"}
    migrations.downgrade(database, "base")
    assert _names(database) == {"alembic_version"}
    migrations.upgrade(database)
    migrations.upgrade(database)
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    # SQLite does not report the direction of the column of an index.
    names = [getattr(difference[1], "name", "") for difference in differences]
    assert set(names) <= {"ix_jobs_waiting", "ix_jobs_waiting_of_owner"}
    database.close()


def test_running_job_records_before_and_after_a_migration(
    empty_database_url: str,
) -> None:
    """The attempt began before the tables changed, and ends after they changed back."""
    database = Database(empty_database_url, pool_size=2)
    migrations.upgrade(database)
    with database.write() as connection:
        submit(connection, Submission(owner="admin", spec=filled_in()))
    lease = claimed_again(database)
    migrations.downgrade(database, "0002")
    migrations.upgrade(database)
    for _ in range(2):
        with database.write() as connection:
            record(connection, lease, Batch(events=[NewEvent("note", {"text": "one"})]), number=1)
    assert notes(database, lease) == ["one"]
    migrations.downgrade(database, "0002")
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    migrations.upgrade(database)
    assert claimed_again(database).attempt == 2
    database.close()


def test_newest_revision_is_unique() -> None:
    assert len(ScriptDirectory.from_config(migrations.alembic_config()).get_heads()) == 1


def test_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="made by a newer version"):
        migrations.upgrade(database)


def test_timeout_of_the_wait_for_a_migration_names_the_command(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with pytest.raises(RuntimeError, match=r"python -m shared\.migrations"):
        migrations.wait_for_head(database, timeout_seconds=0)
    database.close()
