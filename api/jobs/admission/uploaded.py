"""Uploaded data sets in a specification: the newest version that is ready, or a pinned version."""

from api.catalog.hints import hint
from api.http.faults import quoted
from api.services.principal import Principal
from shared import uploaded_datasets
from shared.database import Database
from shared.datasets import FACTS, DatasetFacts
from shared.errors import Fault
from shared.uploaded_datasets import DatasetRow

AT = "/dataset/name"
MAX_LISTED = 3
#: The uploads among which the nearest name is looked for.
MAX_NAMES = 100


def find(
    reference: str, database: Database, principal: Principal
) -> tuple[DatasetFacts | None, list[Fault]] | None:
    """Return the facts of an upload, or why it cannot be used; None if there is no such upload.

    Args:
        reference: `name`, or `name@version`.
        database: of the service.
        principal: who asks.
    """
    with database.read() as connection:
        rows = uploaded_datasets.find(connection, reference, only_owner=principal.only_owner)
    if not rows:
        return None
    ready = next((row for row in rows if row.state == "ready"), None)
    if ready is None:
        return None, [Fault(AT, _why_not_ready(rows[0]))]
    facts = ready.facts()
    return facts, _class_faults(ready, facts) if facts.kind == "images" else []


def unknown(reference: str, database: Database, principal: Principal) -> str:
    """Return the message about a name that is neither a built-in data set nor an upload.

    Args:
        reference: `name`, or `name@version`.
        database: of the service.
        principal: who asks; the uploads that they may not read are not named.
    """
    only_owner = principal.only_owner
    with database.read() as connection:
        name = reference.partition("@")[0]
        versions = uploaded_datasets.find(connection, name, only_owner=only_owner)
        uploads = uploaded_datasets.newest(
            connection, only_owner=only_owner, limit=MAX_NAMES, after=None
        )
    if versions:
        listed = ", ".join(row.reference for row in versions[:MAX_LISTED])
        return f"{quoted(reference)} is no version of this data set. Its newest versions: {listed}"
    names = [*FACTS, *(row.name for row in uploads)]
    return f"{quoted(reference)} is not a dataset. {hint(reference, names)}"


def check_hash(posted: str | None, facts: DatasetFacts) -> list[Fault]:
    """Check that a pinned hash is that of the version."""
    if posted in {None, facts.content_hash}:
        return []
    text = f"is not the hash of {facts.name}, which is {facts.content_hash}"
    return [Fault("/dataset/content_hash", text)]


def _why_not_ready(row: DatasetRow) -> str:
    if row.state == "checking":
        return f"is {row.reference}, which is still being checked; submit the job once it is ready"
    rejected = (row.report or {}).get("rejected", [])
    reasons = "; ".join(f"{r['file']}: {r['detail']}".removeprefix(": ") for r in rejected[:1])
    return f"is {row.reference}, which was rejected: {reasons or 'its check failed'}"


def _class_faults(row: DatasetRow, facts: DatasetFacts) -> list[Fault]:
    """Check that each class has an image for every split that the job draws."""
    drawn = ["training"]
    drawn += [] if facts.validation else ["validation"]
    drawn += [] if facts.test else ["test"]
    small: list[str] = []
    for found in (row.report or {})["classes"]:
        own = sum(found[split] or 0 for split in ("validation", "test"))
        if found["images"] - own < len(drawn):
            small.append(f"`{found['name']}` has {found['images'] - own}")
    if not small or len(drawn) == 1:
        return []
    more = f" and {len(small) - MAX_LISTED} more" if len(small) > MAX_LISTED else ""
    text = f"is {facts.name}, whose classes need at least {len(drawn)} images each, for "
    text += f"{', '.join(drawn)}; {', '.join(small[:MAX_LISTED])}{more}. Upload more images"
    return [Fault(AT, text)]
