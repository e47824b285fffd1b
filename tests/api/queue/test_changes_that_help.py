"""The changes under `would_start_now_if` are accepted, and start the job."""

from pathlib import Path

import sqlalchemy as sa

from shared import tables
from shared.jobs import liveness
from tests.api.accounts_box import accounts_box


def test_high_priority_is_proposed_only_within_its_budget(tmp_path: Path) -> None:
    slot = {"name": "cpu:0", "model": "CPU", "uuid": "", "memory_mib": 64_000}
    path = "/v1/jobs/{}/explain"
    with accounts_box(f"sqlite:///{tmp_path / 'test.db'}", tmp_path) as box:
        with box.database.write() as connection:
            liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[slot])
        box.add_job("mia")
        second = box.add_job("mia")
        for budget, is_proposed in ((20_000, True), (10_000, False)):
            with box.database.write() as connection:
                users = tables.users
                update = sa.update(users).where(users.c.name == "mia")
                limits = {"high_device_seconds_week": budget}
                connection.execute(update.values(limits=limits))
            found = box.request("mia", "submit", "GET", path.format(second)).json()
            patches = [each["patch"] for each in found["would_start_now_if"]]
            assert ({"priority": "high"} in patches) == is_proposed
