"""The directory of the local box, where the client finds its address and keys."""

import os
from pathlib import Path

from trainshed.errors import WrongUsage


def client_home() -> Path:
    """Return TRAINSHED_HOME, by default ~/.trainshed.

    Raises:
        WrongUsage: it cannot be resolved.
    """
    home = os.environ.get("TRAINSHED_HOME") or "~/.trainshed"
    try:
        return Path(home).expanduser()
    except RuntimeError as error:
        raise WrongUsage(
            f"{home} cannot be resolved. Set TRAINSHED_HOME to the box's directory."
        ) from error
