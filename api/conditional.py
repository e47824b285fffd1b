"""`If-None-Match`: whether a client has already what it asks for (RFC 9110, 13.1.2)."""

import re

TAG = re.compile(r'(?:W/)?("[^"]*")')


def is_known(header: str | None, etag: str) -> bool:
    """Whether the header names this ETag; `*` names whatever there is.

    Args:
        header: the value of `If-None-Match`, a list of ETags, weak ones among them or not.
        etag: of what would be sent, with its quotation marks.
    """
    if header is None:
        return False
    return header.strip() == "*" or etag in TAG.findall(header)
