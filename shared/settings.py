"""The settings, each an environment variable `TRAINSHED_…`. Every process reads them once."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from shared.accounts.limits import LimitSettings
from shared.local_access import (
    close_database,
    close_new_files,
    make_private,
    make_private_in_public,
)
from shared.policy_settings import PolicySettings

MAX_SOCKET_PATH_BYTES = 100  # the limit of the kernel is 108 with the terminating zero
#: The allowed schemes of each server address, and an example for messages.
SERVERS = {
    "database_url": (
        {"sqlite", "postgresql", "postgres"},
        "sqlite:///path or postgresql://user:password@host/name",
    ),
    "broker_url": ({"redis", "rediss"}, "redis://host:6379/0"),
    "mlflow_url": ({"sqlite", "http", "https"}, "sqlite:///path or http://host:5000"),
}


class Settings(LimitSettings, PolicySettings):
    """The settings of one box. An empty address stands for the embedded default under `home`."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINSHED_",
        env_ignore_empty=True,  # as in the client: an empty home is not the current directory
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    home: Path = Field(default=Path("~/.trainshed"), description="data directory of the box")
    host: str = Field(default="127.0.0.1", description="address the API listens on")
    port: int = Field(default=8000, ge=1, le=65_535, description="port the API listens on")
    database_url: str = Field(default="", description="SQLite under home unless set")
    broker_url: str = Field(default="", description="an embedded Valkey unless set")
    mlflow_url: str = Field(default="", description="MLflow store; SQLite under home unless set")
    storage_url: str = Field(default="", description="file:// URL of the directory of jobs' files")
    sidecar_url: str = Field(
        default="", description="unix:///path or tcp://host:port of the sidecar"
    )
    admin_key: SecretStr | None = Field(
        default=None, description="the admin's key; made at first start unless set"
    )
    allowed_hosts: str = Field(
        default="", description="additional Host names the API answers to, separated by commas"
    )
    visibility: Literal["queue", "team", "private"] = Field(
        default="queue",
        description="what people see of the jobs of others: queue: owner, priority and times in "
        "the queue; team: everything; private: not even the owner",
    )
    worker_id: str = Field(default="", description="name of this worker; host name unless set")
    cpu_slots: int = Field(
        default=1, ge=1, le=64, description="jobs that train at the same time on a box without GPUs"
    )
    simulated_devices: str = Field(
        default="",
        description="a JSON file of simulated devices with memory, whose jobs train on the CPU",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads of a job; 0: all cores / slots"
    )
    runner_memory_mib: int = Field(
        default=0, ge=0, description="limit of the address space of a job on the CPU; 0: none"
    )
    warm_gpu: bool = Field(
        default=True,
        description="whether the next runner sets up an idle GPU before it has a job, which takes "
        "some hundred MiB of the GPU's memory",
    )
    lease_seconds: float = Field(
        default=20.0,
        ge=1,
        le=600,
        description="time without a heartbeat after which an attempt is lost",
    )
    checkpoint_seconds: float = Field(
        default=60.0, ge=0.1, description="longest time between two checkpoints"
    )
    disk_reserve_mib: int = Field(
        default=1024,
        ge=0,
        description="free space of the jobs' disk that new jobs must leave; 0: jobs are never "
        "refused for it",
    )
    downloads: bool = Field(
        default=True, description="whether data sets and pretrained weights may be downloaded"
    )
    data_roots: str = Field(
        default="",
        description="directories below which an admin may register data sets, separated by colons",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("home", mode="after")
    @classmethod
    def _resolve_home(cls, value: Path) -> Path:
        try:
            return value.expanduser().resolve()
        except RuntimeError as error:  # the user does not exist or has no home directory
            raise ValueError(
                f"TRAINSHED_HOME is {str(value)!r}; it must be a directory, and ~ has none here"
            ) from error

    @field_validator(*SERVERS, mode="after")
    @classmethod
    def _check_server(cls, value: str, info: ValidationInfo) -> str:
        name = str(info.field_name)
        schemes, example = SERVERS[name]
        scheme, separator, _ = value.partition("://")
        if value and (not separator or scheme.partition("+")[0] not in schemes):
            # The rest is not shown: it may contain a password.
            wrong = f"begins with {scheme + '://'!r}" if separator else "has no ://"
            raise ValueError(f"TRAINSHED_{name.upper()} {wrong}; it must be {example}")
        return value

    @field_validator("data_roots", mode="after")
    @classmethod
    def _check_data_roots(cls, value: str) -> str:
        if any(not root.startswith("/") for root in value.split(":") if root):
            raise ValueError(
                f"TRAINSHED_DATA_ROOTS is {value!r}; it must be paths that begin with /, separated "
                "by colons"
            )
        return value

    @field_validator("storage_url", mode="after")
    @classmethod
    def _check_storage(cls, value: str) -> str:
        if value and not value.startswith("file:///"):
            raise ValueError(f"TRAINSHED_STORAGE_URL is {value!r}; it must be file:///a/directory")
        return value

    @field_validator("sidecar_url", mode="after")
    @classmethod
    def _check_sidecar(cls, value: str) -> str:
        url = urlsplit(value)
        try:
            address = {"unix": url.path, "tcp": url.port}.get(url.scheme)
        except ValueError:  # the port is not a valid number
            address = None
        if value and not address:
            raise ValueError(
                f"TRAINSHED_SIDECAR_URL is {value!r}; it must be unix:///path or tcp://host:port"
            )
        return value

    @field_validator("admin_key", mode="after")
    @classmethod
    def _check_admin_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if len(key) < 20 or not key.isprintable() or key != key.strip():
            raise ValueError(
                f"TRAINSHED_ADMIN_KEY has {len(key)} characters; it must have at least 20 "
                "printable characters and no space at either end"
            )
        return value

    @property
    def database(self) -> str:
        """The address of the database, for SQLAlchemy."""
        return self.database_url or f"sqlite:///{self.home / 'trainshed.db'}"

    @property
    def broker(self) -> str:
        """The address of the broker, for Celery."""
        return self.broker_url or f"redis+socket://{self.sockets / 'broker.sock'}"

    @property
    def sidecar(self) -> str:
        """The address on which the sidecar listens."""
        return self.sidecar_url or f"unix://{self.sockets / 'sidecar.sock'}"

    @property
    def mlflow(self) -> str:
        """The address of MLflow's store."""
        return self.mlflow_url or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def names(self) -> list[str]:
        """The names of this service; a request for another name comes from a foreign page."""
        allowed = map(str.strip, self.allowed_hosts.split(","))
        return ["127.0.0.1", "localhost", "::1", self.host, *allowed]

    @property
    def roots_of_data(self) -> tuple[Path, ...]:
        """The directories below which an admin may register data sets."""
        return tuple(Path(root) for root in self.data_roots.split(":") if root)

    @property
    def storage(self) -> Path:
        """The directory of the jobs' files, on a volume that the API and all workers share."""
        if not self.storage_url:
            return self.home / "jobs"
        return Path(self.storage_url.removeprefix("file://"))

    @property
    def sockets(self) -> Path:
        """The directory of sockets: under home, or a temporary directory if home is too long."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + len("/broker.sock") <= MAX_SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"trainshed-{os.getuid()}-{digest}"

    @property
    def locks(self) -> Path:
        """The directory of the lock files of this machine."""
        return self.home / "run" / "locks"

    @property
    def key_file(self) -> Path:
        """The file, mode 0600, of the key that is made at the first start."""
        return self.home / "key"

    def make_directories(self) -> None:
        """Create the directories of the box; close them, the database and new files to others.

        Raises:
            OSError: a directory cannot be created, or that of the sockets is not safe.
        """
        close_new_files()
        make_private(self.home)
        if not self.sockets.is_relative_to(self.home):
            make_private_in_public(self.sockets)
        if self.database.startswith("sqlite:///"):
            close_database(Path(self.database.removeprefix("sqlite:///")))
        for directory in (
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
    """Return the settings of this process; print one sentence for each invalid setting.

    Raises:
        SystemExit: with 2, if a setting is invalid.
    """
    try:
        return Settings()
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            sys.stderr.write(f"{_describe(fault)}\n")
    raise SystemExit(2)


def _describe(fault: Any) -> str:
    """Return what is wrong with a setting and what is allowed, without the value of a secret."""
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])  # the validators above name the variable
    name = fault["loc"][0]
    is_secret = SecretStr in get_args(Settings.model_fields[name].annotation)
    wrong = "is invalid" if is_secret else f"is {fault['input']!r}"
    allowed = fault["msg"].partition(", unable to parse")[0].replace("Input should", "it must")
    return f"TRAINSHED_{name.upper()} {wrong}; {allowed}"
