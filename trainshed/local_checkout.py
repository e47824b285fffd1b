"""The checkout that a box runs from; an installed client has none."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from trainshed.errors import WrongUsage


def exec_box() -> NoReturn:
    """Replace this process by `python -m box up` in the checkout, with the checkout's Python.

    Raises:
        WrongUsage: there is no checkout.
    """
    root = find_checkout()
    venv_python = root / ".venv" / "bin" / "python"
    python = str(venv_python) if venv_python.exists() else sys.executable
    os.chdir(root)
    os.execv(python, [python, "-m", "box", "up"])  # noqa: S606


def find_checkout() -> Path:
    """Return the checkout: the current directory, a directory above it, or this package's.

    Raises:
        WrongUsage: there is none.
    """
    here = Path.cwd()
    for root in (here, *here.parents, Path(__file__).parents[1]):
        if (root / "box" / "supervisor.py").exists() and (root / "trainshed").is_dir():
            return root
    raise WrongUsage(
        "`up` needs a checkout of Trainshed, but only the client is installed. Change to the "
        "directory of a checkout, or run `make up` there."
    )
