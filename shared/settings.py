"""Every setting, each an environment variable TRAINSHED_…; made once in each process's main."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_SOCKET_PATH_BYTES = 100  # bytes; the kernel's limit is 108 with the closing zero
#: What each address of a server may begin with, and how one looks.
SERVERS = {
    "database_url": (
        {"sqlite", "postgresql", "postgres"},
        "sqlite:///path or postgresql://user:password@host/name",
    ),
    "broker_url": ({"redis", "rediss"}, "redis://host:6379/0"),
    "mlflow_url": ({"sqlite", "http", "https"}, "sqlite:///path or http://host:5000"),
}


class Settings(BaseSettings):
    """The settings of one box. Empty addresses stand for the embedded default under `home`."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINSHED_",
        env_ignore_empty=True,  # as the client has it: an empty home is not the current directory
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    home: Path = Field(default=Path("~/.trainshed"), description="data directory of the box")
    host: str = Field(default="127.0.0.1", description="address the API listens on")
    port: int = Field(default=8000, ge=1, le=65_535, description="port the API listens on")
    database_url: str = Field(default="", description="SQLite under home unless set")
    broker_url: str = Field(default="", description="a Valkey of our own unless set")
    mlflow_url: str = Field(default="", description="MLflow store; SQLite under home unless set")
    storage_url: str = Field(default="", description="file:// address of jobs' files")
    sidecar_url: str = Field(
        default="", description="unix:///path or tcp://host:port of the sidecar"
    )
    admin_key: SecretStr | None = Field(
        default=None, description="the admin's key; made at first start unless set"
    )
    allowed_hosts: str = Field(
        default="", description="further Host names the API answers to, with commas between"
    )
    worker_id: str = Field(default="", description="name of this worker; host name unless set")
    cpu_slots: int = Field(
        default=1, ge=1, le=64, description="trainings side by side on a box without GPUs"
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads a training takes; 0: all cores / slots"
    )
    runner_memory_mib: int = Field(
        default=0, ge=0, description="limit of a CPU training's address space; 0: none"
    )
    lease_seconds: float = Field(
        default=20.0, ge=1, le=600, description="silence after which an attempt counts as lost"
    )
    checkpoint_seconds: float = Field(
        default=60.0, ge=0.1, description="at most this much work is lost in a crash"
    )
    limit_upload_mib: int = Field(
        default=4096, ge=1, description="the largest file of weights that is taken"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        try:
            return value.expanduser().resolve()
        except RuntimeError as error:  # nobody of this name, or without a home
            raise ValueError(
                f"TRAINSHED_HOME is {str(value)!r}; it takes a directory, and ~ is none here"
            ) from error

    @field_validator(*SERVERS, mode="after")
    @classmethod
    def _is_of_a_server(cls, value: str, info: ValidationInfo) -> str:
        name = str(info.field_name)
        schemes, allowed = SERVERS[name]
        scheme, is_there, _ = value.partition("://")
        if value and (not is_there or scheme.partition("+")[0] not in schemes):
            # The rest is not shown: it may hold a password.
            wrong = f"begins with {scheme + '://'!r}" if is_there else "has no :// in it"
            raise ValueError(f"TRAINSHED_{name.upper()} {wrong}; it takes {allowed}")
        return value

    @field_validator("storage_url", mode="after")
    @classmethod
    def _is_directory(cls, value: str) -> str:
        if value and not value.startswith("file:///"):
            raise ValueError(f"TRAINSHED_STORAGE_URL is {value!r}; it takes file:///a/directory")
        return value

    @field_validator("sidecar_url", mode="after")
    @classmethod
    def _is_socket(cls, value: str) -> str:
        url = urlsplit(value)
        try:
            takes = {"unix": url.path, "tcp": url.port}.get(url.scheme)
        except ValueError:  # a port that is none
            takes = None
        if value and not takes:
            raise ValueError(
                f"TRAINSHED_SIDECAR_URL is {value!r}; it takes unix:///path or tcp://host:port"
            )
        return value

    @field_validator("admin_key", mode="after")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if len(key) < 20 or not key.isprintable() or key != key.strip():
            raise ValueError(
                f"TRAINSHED_ADMIN_KEY has {len(key)} characters; it takes at least 20 printable "
                "ones without space around them"
            )
        return value

    @property
    def database(self) -> str:
        """SQLAlchemy's address of the database."""
        return self.database_url or f"sqlite:///{self.home / 'trainshed.db'}"

    @property
    def broker(self) -> str:
        """Celery's address of the broker."""
        return self.broker_url or f"redis+socket://{self.sockets / 'broker.sock'}"

    @property
    def sidecar(self) -> str:
        """Where the sidecar listens."""
        return self.sidecar_url or f"unix://{self.sockets / 'sidecar.sock'}"

    @property
    def mlflow(self) -> str:
        """MLflow's address of its store."""
        return self.mlflow_url or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def storage(self) -> Path:
        """Directory of the jobs' files, on a volume that the API and all workers share."""
        if not self.storage_url:
            return self.home / "jobs"
        return Path(self.storage_url.removeprefix("file://"))

    @property
    def sockets(self) -> Path:
        """Directory of sockets: under home, or a short private one where home's path is long."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + len("/broker.sock") <= MAX_SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"trainshed-{os.getuid()}-{digest}"

    @property
    def locks(self) -> Path:
        """Directory of the locks that exclude on one machine."""
        return self.home / "run" / "locks"

    @property
    def key_file(self) -> Path:
        """Where the key made at first start lies, mode 0600."""
        return self.home / "key"

    def make_directories(self) -> None:
        """Create what the processes expect under `home`, closed to other users."""
        for directory in (
            self.home,
            self.home / "data",
            self.home / "cache",
            self.home / "logs",
            self.home / "mlflow",
            self.sockets,
            self.locks,
            self.storage,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def read_settings() -> Settings:
    """The settings of this process, for its main: what is refused is said, a sentence each.

    Raises:
        SystemExit: with 2, one or more are refused.
    """
    try:
        return Settings()
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            sys.stderr.write(f"{_sentence(fault)}\n")
    raise SystemExit(2)


def _sentence(fault: Any) -> str:
    """What is wrong with a setting and what is allowed; the value of a secret is not shown."""
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])  # of a validator above, which names the variable
    name = fault["loc"][0]
    is_secret = SecretStr in get_args(Settings.model_fields[name].annotation)
    wrong = "is refused" if is_secret else f"is {fault['input']!r}"
    allowed = fault["msg"].partition(", unable to parse")[0].replace("Input should", "it should")
    return f"TRAINSHED_{name.upper()} {wrong}; {allowed}"
