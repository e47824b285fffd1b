"""The draft of a job: what was posted, what is known of it so far, its faults and warnings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from api.catalog.methods import Methods
from api.catalog.metrics import TaskName
from api.http.faults import Faults
from api.services.principal import Principal
from shared.database import Database
from shared.datasets import DatasetFacts
from shared.spec import JobSpec
from shared.storage import Storage


class Sidecar(Protocol):
    """What admission requests of the sidecar.

    All methods raise InvalidSpec where the sidecar finds faults, and Unavailable where it does
    not respond.
    """

    def send(self, operation: str, fields: dict[str, Any], /) -> dict[str, Any]:
        """Return the response to a request."""
        ...

    def confirm(self, operation: str, fields: dict[str, Any], /) -> None:
        """Send a request whose only response is a confirmation; it may be some seconds old."""
        ...

    def describe(self, fields: dict[str, Any], /) -> dict[str, Any]:
        """Return the description of a network."""
        ...


@dataclass(frozen=True)
class SpecWarning:
    """A part of a valid specification that is probably a mistake."""

    pointer: str
    #: What is odd, and its consequence.
    detail: str
    #: What to do instead; None where nothing can be named.
    suggestion: str | None = None


@dataclass(frozen=True)
class Context:
    """What the checks read besides the specification."""

    methods: Methods
    sidecar: Sidecar
    database: Database
    storage: Storage
    #: Whose specification it is: what they may not read does not exist for them.
    principal: Principal
    #: Returns the names of the devices of the worker that has most; empty where none is known.
    largest_worker: Callable[[], Sequence[str]]
    #: Returns the most memory that a job can get on a device; 0 if no device has its own.
    largest_device_mib: Callable[[], float] = lambda: 0.0


@dataclass
class Draft:
    """A specification on its way through the checks."""

    #: The body as it was posted.
    raw: dict[str, Any]
    context: Context
    faults: Faults = field(default_factory=Faults)
    warnings: list[SpecWarning] = field(default_factory=list)
    #: The structure of `raw` without the values that have faults; None until it is read, or
    #: where nothing of it can be read.
    spec: JobSpec | None = None
    #: The specification with its defaults, as far as the checks have filled it in. A method
    #: with faults is None.
    filled: dict[str, Any] = field(default_factory=dict)
    #: None where the dataset is unknown or cannot be read. A regression has no classes.
    facts: DatasetFacts | None = None
    #: The sidecar's request that describes the network; None where the network has faults.
    network: dict[str, Any] | None = None
    #: The sidecar's response to it.
    description: dict[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> Methods:
        """The catalogue."""
        return self.context.methods

    @property
    def task(self) -> TaskName | None:
        """The task of the job, which its loss decides; None where the loss has faults."""
        loss = self.filled.get("loss")
        return self.methods.task(loss["name"]) if loss else None

    def fault(self, pointer: str, detail: str) -> None:
        """Record a fault."""
        self.faults.add(pointer, detail)

    def warn(self, pointer: str, detail: str, suggestion: str | None = None) -> None:
        """Record a warning: the value is allowed, but probably a mistake."""
        self.warnings.append(SpecWarning(pointer, detail, suggestion))

    def warnings_json(self) -> list[dict[str, Any]]:
        """Return the warnings as JSON, in the order of their pointers."""
        return [asdict(warning) for warning in sorted(self.warnings, key=lambda w: w.pointer)]

    def posted(self, field: str) -> Any:
        """Return a field as it was posted, or the name of the method that is its default."""
        return self.raw.get(field, JobSpec.model_fields[field].default.name)

    def choice(
        self, slot: str, raw: Any, pointer: str, *, reserved: frozenset[str] = frozenset()
    ) -> dict[str, Any] | None:
        """Fill in one method of a slot, as `Methods.choice` does, and record its faults."""
        if self.faults.is_full:
            return None
        return self.faults.take(self.methods.choice(slot, raw, pointer, reserved=reserved))

    def named(self, slot: str, raw: Any, pointer: str) -> dict[str, Any]:
        """Fill in methods by name, as `Methods.named` does, and record their faults."""
        if self.faults.is_full:
            return {}
        return self.faults.take(self.methods.named(slot, raw, pointer))

    def facts_of(self, slot: str, method: dict[str, Any]) -> dict[str, Any]:
        """Return the catalogue's entry of a method that is filled in."""
        return self.methods.catalog[slot][method["name"]]
