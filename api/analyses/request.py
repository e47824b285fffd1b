"""The check of a request for an analysis, with every fault in one answer."""

from dataclasses import dataclass
from typing import Any

from api.catalog.hints import spelling_hint
from api.catalog.methods import Methods
from api.http.faults import Faults, abbreviated, quoted
from api.http.json_pointer import escape
from shared.errors import InvalidSpec, NotFound
from shared.jobs.checkpoint_names import find_checkpoint
from shared.jobs.rows import CheckpointRow, JobRow
from shared.spec.job import MAX_RUNTIME_SECONDS

SLOT = "analyses"
SUBJECT = "request"
#: The fields next to the parameters of a kind.
FIELDS = ("kind", "checkpoint", "max_runtime_seconds")
DEFAULT_CHECKPOINT = "last"


@dataclass(frozen=True)
class Request:
    """A request whose kind and parameters have been checked."""

    kind: str
    checkpoint: CheckpointRow
    #: Every parameter of the kind.
    parameters: dict[str, Any]
    #: None for the limit of the job.
    max_runtime_seconds: int | None


def check_request(
    methods: Methods, job: JobRow, checkpoints: list[CheckpointRow], raw: Any, faults: Faults
) -> Request | None:
    """Check the body of a request; return None where it has a fault.

    Args:
        methods: the catalogue.
        job: the job to analyse.
        checkpoints: of the job.
        raw: the parsed body.
        faults: each fault of the request is added to it.

    Raises:
        InvalidSpec: it is no object.
    """
    if not isinstance(raw, dict):
        faults.add("", f"is {abbreviated(raw)}; it must be an object with `kind`")
        raise InvalidSpec(faults.in_order(), subject=SUBJECT)
    kind = _kind(methods.catalog[SLOT], raw, faults)
    checkpoint = _checkpoint(checkpoints, raw, faults)
    limit = raw.get("max_runtime_seconds")
    is_number = isinstance(limit, int) and not isinstance(limit, bool)
    if limit is not None and not (is_number and 1 <= limit <= MAX_RUNTIME_SECONDS):
        text = (
            f"is {abbreviated(limit)}; it must be an integer from 1 to {MAX_RUNTIME_SECONDS}, or "
            "null for the limit of the job"
        )
        faults.add("/max_runtime_seconds", text)
    parameters = None if kind is None else _parameters(methods, job, kind, raw, faults)
    if faults or kind is None or checkpoint is None or parameters is None:
        return None
    return Request(kind, checkpoint, parameters, limit)


def _kind(entries: dict[str, Any], raw: dict[str, Any], faults: Faults) -> str | None:
    """Return the kind, or None where it is none."""
    if "kind" not in raw:
        faults.add("/kind", f"is required. Available: {', '.join(sorted(entries))}")
        return None
    kind = raw["kind"]
    if not isinstance(kind, str):
        faults.add("/kind", f"is {abbreviated(kind)}; it must be the name of an analysis")
        return None
    if kind not in entries:
        text = f"{quoted(kind)} is not an analysis. {spelling_hint(kind, entries)}"
        faults.add("/kind", text)
        return None
    return kind


def _checkpoint(
    rows: list[CheckpointRow], raw: dict[str, Any], faults: Faults
) -> CheckpointRow | None:
    name = raw.get("checkpoint", DEFAULT_CHECKPOINT)
    if not isinstance(name, str):
        text = f"is {abbreviated(name)}; it must be a checkpoint's id, or a name such as last"
        faults.add("/checkpoint", text)
        return None
    try:
        return find_checkpoint(rows, name, with_previous=True)
    except NotFound as error:
        faults.add("/checkpoint", error.detail)
        return None


def _parameters(
    methods: Methods, job: JobRow, kind: str, raw: dict[str, Any], faults: Faults
) -> dict[str, Any] | None:
    """Return every parameter of a kind; None where they have a fault."""
    entry = methods.catalog[SLOT][kind]
    if entry.get("needs_classes") and methods.task(job.spec["loss"]["name"]) != "classification":
        text = f"is {kind}, which needs classes, but the job predicts a number; choose another kind"
        faults.add("/kind", text)
    given = {name: value for name, value in raw.items() if name not in FIELDS}
    known = entry["parameters"].get("properties", {})
    for name in given.keys() - known.keys():
        hint = spelling_hint(name, [*known, *FIELDS])
        faults.add(f"/{escape(name)}", f"{quoted(name)} is not a parameter of {kind}. {hint}")
    given = {name: value for name, value in given.items() if name in known}
    return faults.take(methods.parameters(SLOT, kind, given, ""))
