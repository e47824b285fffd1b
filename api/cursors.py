"""Cursors of lists: the id after which a page begins."""

from shared.errors import BadRequest
from shared.ids import LENGTH, is_id


def check_cursor(after: str | None, prefix: str) -> None:
    """Admit an id, also one of something that is gone by now: what comes after it is known.

    Raises:
        BadRequest: it has not the form of an id with this prefix.
    """
    if after is not None and not is_id(prefix, after):
        raise BadRequest(
            f"`after` is {after!r}, which is no place in this list; it takes the `id` of the last "
            f"one of the page before: {prefix}_ and {LENGTH} characters."
        )
