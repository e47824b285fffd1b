"""A form that is not finished, as a part of an address: what was typed survives back and reload."""

import binascii
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from shared.errors import BadRequest

#: Characters of a draft; with the rest of its address they stay below the limit of the service.
MAX_CHARACTERS = 6_000
MAX_BYTES = 1_000_000
DAMAGED = (
    "The address of this form is damaged, so what was typed cannot be shown. Copy the whole "
    "address, or begin with an empty form at /jobs/new."
)


def write_draft(values: Mapping[str, str]) -> str | None:
    """Return the fields of a form as text for an address; None if they are too long for one.

    Empty fields are left out.
    """
    typed = {name: value for name, value in values.items() if value.strip()}
    content = zlib.compress(json.dumps(typed, ensure_ascii=False).encode(), 9)
    text = urlsafe_b64encode(content).decode().rstrip("=")
    return text if len(text) <= MAX_CHARACTERS else None


def read_draft(text: str) -> dict[str, str]:
    """Return the fields of a form from its address.

    Raises:
        BadRequest: the text is not the whole of what `write_draft` returned.
    """
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacked = zlib.decompressobj()
        typed = json.loads(unpacked.decompress(content, MAX_BYTES).decode())
    except (binascii.Error, zlib.error, ValueError) as error:
        raise BadRequest(DAMAGED) from error
    if not unpacked.eof or not isinstance(typed, dict):
        raise BadRequest(DAMAGED)
    return {name: value for name, value in typed.items() if isinstance(value, str)}
