"""Uploaded data sets by their names: found, and deleted."""

from api.catalog.hints import hint
from api.services.container import Services
from api.services.principal import Principal
from shared import uploaded_datasets
from shared.datasets import FACTS
from shared.errors import Conflict, Forbidden, NotFound
from shared.uploaded_datasets import DatasetRow

MAX_LISTED_JOBS, MAX_LISTED_VERSIONS = 5, 5


def delete(services: Services, principal: Principal, name: str) -> int:
    """Delete all versions of an upload, or `name@version`; return the bytes freed.

    Raises:
        NotFound: there is no such data set.
        Forbidden: it belongs to somebody else.
        Conflict: it is built-in, or a job that has not ended needs it.
    """
    if name in FACTS:
        raise Conflict(f"{name} is a built-in data set, which cannot be deleted.")
    rows = find(services, principal, name)
    if not all(principal.may_change(row.owner) for row in rows):
        raise Forbidden(f"{name} belongs to somebody else; only its owner can delete it.")
    with services.change(principal, "dataset.delete", name) as connection:
        jobs = uploaded_datasets.jobs_in_need(connection, rows)
        if jobs:
            listed = jobs.text(principal.only_owner, limit=MAX_LISTED_JOBS)
            raise Conflict(f"These jobs need {name}: {listed}. Wait for them or cancel them.")
        uploaded_datasets.delete(connection, rows)
    freed_bytes = 0
    for row in rows:
        for path in uploaded_datasets.files(services.settings.home, row):
            freed_bytes += path.stat().st_size if path.is_file() else 0
            path.unlink(missing_ok=True)
    return freed_bytes


def find(services: Services, principal: Principal, name: str) -> list[DatasetRow]:
    """Return the versions that `name` or `name@version` means, the newest first.

    Raises:
        NotFound: there is none, or the data set is built-in.
    """
    if name in FACTS:
        raise NotFound(f"{name} is a built-in data set, which has no versions.")
    with services.database.read() as connection:
        rows = uploaded_datasets.find(connection, name, only_owner=principal.only_owner)
        if rows:
            return rows
        others = uploaded_datasets.find(
            connection, name.partition("@")[0], only_owner=principal.only_owner
        )
        if others:
            listed = ", ".join(row.reference for row in others[:MAX_LISTED_VERSIONS])
            raise NotFound(
                f"{name[:100]} is no version of this data set. Its newest versions: {listed}."
            )
        uploads = uploaded_datasets.newest(
            connection, only_owner=principal.only_owner, limit=100, after=None
        )
    names = [*FACTS, *(row.name for row in uploads)]
    raise NotFound(f"There is no data set of this name. {hint(name, names)}.")
