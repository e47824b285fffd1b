"""Finds the checkout that a box runs from: the client alone has none."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from trainshed.errors import WrongUsage


def become_the_box() -> NoReturn:
    """Exec `python -m box up` in the checkout, with its own environment where it has one.

    Raises:
        WrongUsage: there is no checkout.
    """
    root = find()
    own = root / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    os.chdir(root)
    os.execv(python, [python, "-m", "box", "up"])  # noqa: S606


def find() -> Path:
    """The checkout: the current directory or one above it, or where this package lies.

    Raises:
        WrongUsage: there is none.
    """
    here = Path.cwd()
    for root in (here, *here.parents, Path(__file__).parents[1]):
        if (root / "box" / "supervisor.py").exists() and (root / "trainshed").is_dir():
            return root
    raise WrongUsage(
        "`up` needs a checkout of Trainshed, and this is the client alone: go to a checkout's "
        "directory, or type `make up` there"
    )
