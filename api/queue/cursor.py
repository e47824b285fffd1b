"""Cursors of the queue: they name an entry to everybody, and its job to nobody.

A cursor is the position of the entry and a keyed digest of the job's id. The key is that of
the process: after a restart, and once the job no longer waits, the position counts.
"""

import hashlib
import secrets

from api.http.faults import quoted
from api.services.principal import Principal
from api.services.queue_order import Snapshot
from shared.errors import BadRequest
from shared.ids import ALPHABET, LENGTH, is_id

PREFIX = "queue"
_KEY = secrets.token_bytes(32)
#: The characters of the position, which is at most 1,000, and the bytes of the digest.
_POSITION_LENGTH, _DIGEST_BYTES = 2, 15


def cursor_of(job_id: str, position: int) -> str:
    """Return the cursor of an entry of the queue."""
    return f"{PREFIX}_{_text(position, _POSITION_LENGTH)}{_digest(job_id)}"


def count_before(snapshot: Snapshot, after: str | None, principal: Principal) -> int:
    """Return how many entries come before the page that begins after a cursor.

    Args:
        snapshot: of the queue.
        after: a cursor, or the id of a waiting job that the principal may read.
        principal: who reads the queue.

    Raises:
        BadRequest: it is neither.
    """
    if after is None:
        return 0
    if is_id(PREFIX, after):
        code = after.removeprefix(f"{PREFIX}_")
        position, digest = _number(code[:_POSITION_LENGTH]), code[_POSITION_LENGTH:]
        places = snapshot.positions.items()
        found = next((place for job_id, place in places if _digest(job_id) == digest), None)
        # What has left the queue leaves its position to the next entry.
        return max(0, position - 1) if found is None else found
    place = snapshot.positions.get(after)
    if place is None or not principal.may_read(snapshot.plan.entries[place - 1].job.owner):
        raise BadRequest(
            f"`after` is {quoted(after)}; it must be the `cursor` of the last entry of the page "
            f"before ({PREFIX}_ and {LENGTH} characters), or the id of a job that waits and that "
            "you may read. Leave it out to read from the beginning."
        )
    return place


def _digest(job_id: str) -> str:
    found = hashlib.blake2b(job_id.encode(), key=_KEY, digest_size=_DIGEST_BYTES).digest()
    return _text(int.from_bytes(found, "big"), LENGTH - _POSITION_LENGTH)


def _text(number: int, length: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))


def _number(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | ALPHABET.index(character)
    return number
