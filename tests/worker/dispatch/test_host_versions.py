"""Workers of a box that run other code are refused."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared import tables
from shared.clock import now
from shared.database import Database
from shared.jobs import liveness
from worker.dispatch.code_version import PACKAGES, ROOT, code_version, digest_of
from worker.dispatch.host_versions import OtherVersion, check_version


def _record(database: Database, version: str | None) -> None:
    with database.write() as connection:
        liveness.record_worker(
            connection, worker="a", host="one", pid=1, devices=[], version=version
        )


def test_another_version_is_refused_with_both_versions_and_what_to_do(database: Database) -> None:
    _record(database, "0123456789ab")
    with pytest.raises(OtherVersion) as refused:
        check_version(database, "b")
    text = str(refused.value)
    assert f"has the version {code_version()}" in text
    assert "'a' on the host one has 0123456789ab" in text
    assert "Install the same version on both hosts" in text


def test_the_same_version_an_unknown_version_and_the_own_predecessor_are_no_reason(
    database: Database,
) -> None:
    for version in (code_version(), None):
        _record(database, version)
        check_version(database, "b")
    _record(database, "0123456789ab")
    check_version(database, "a")


def test_a_worker_that_is_gone_is_no_reason(database: Database) -> None:
    _record(database, "0123456789ab")
    with database.write() as connection:
        connection.execute(sa.update(tables.workers).values(seen_at=now() - timedelta(seconds=11)))
    check_version(database, "b")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_changed_file_is_another_version(tmp_path: Path, package: str) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name)
    assert digest_of(tmp_path) == code_version()
    with (tmp_path / package / "__init__.py").open("a") as file:
        file.write("#")
    assert digest_of(tmp_path) != code_version()
