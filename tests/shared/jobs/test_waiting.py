"""The jobs that wait, as they are read for a plan."""

from shared.database import Database
from shared.jobs.waiting import Lines
from tests.shared.claiming import submit_job


def test_all_jobs_of_all_owners_are_read_in_the_owners_order(database: Database) -> None:
    """Check pages: more jobs than a page has, of more owners than are read at once."""
    expected: dict[str, list[str]] = {}
    for number in range(45):
        count = 25 if number < 2 else 2
        owner = f"user{number:02}"
        low = [submit_job(database, owner, priority="low") for _ in range(count)]
        high = submit_job(database, owner, priority="high")
        expected[owner] = [high, *low]
    with database.read() as connection:
        lines = Lines(connection).by_owner()
        found = {owner: [job.id for job in line] for owner, line in lines.items()}
    assert found == expected
