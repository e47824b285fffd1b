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
from tests.shared.rows import notes
from tests.worker.jobs import claimed, claimed_again


def _names(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names())


def test_up_down_up_leaves_the_tables_that_the_code_knows(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=2)
    migrations.upgrade(database)
    assert _names(database) == {*tables.metadata.tables, "alembic_version"}
    migrations.downgrade(database, "base")
    assert _names(database) == {"alembic_version"}
    migrations.upgrade(database)
    migrations.upgrade(database)
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    # SQLite does not tell the direction of an index's column.
    assert [one for one in differences if getattr(one[1], "name", "") != "ix_jobs_waiting"] == []
    database.close()


def test_a_job_that_runs_while_the_tables_change_records_before_and_after(
    empty_database_url: str,
) -> None:
    """What a worker of the version before claimed, and how it goes back."""
    database = Database(empty_database_url, pool_size=2)
    migrations.upgrade(database, "0002")
    lease = claimed(database)
    migrations.upgrade(database)
    for _ in range(2):
        with database.write() as connection:
            record(connection, lease, Batch(events=[NewEvent("note", {"text": "one"})]), number=1)
    assert notes(database, lease) == ["one"]
    migrations.downgrade(database, "0002")
    with database.write() as connection:
        attempts.stop(connection, lease, "worker_lost")
    assert claimed_again(database).attempt == 2
    database.close()


def test_there_is_one_newest_revision() -> None:
    assert len(ScriptDirectory.from_config(migrations.config()).get_heads()) == 1


def test_a_database_of_a_newer_version_is_refused_untouched(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="made by a newer one"):
        migrations.upgrade(database)


def test_waiting_for_another_s_migration_ends_with_what_to_do(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with pytest.raises(RuntimeError, match=r"python -m shared\.migrations"):
        migrations.wait_for_head(database, timeout_seconds=0)
    database.close()
