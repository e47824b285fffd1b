"""The check of a request for an analysis, with every fault in one answer."""

from dataclasses import dataclass
from typing import Any

from api.catalog.hints import spelling_hint
from api.catalog.methods import Methods
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import escape
from shared.errors import Fault, InvalidSpec
from shared.jobs.rows import JobRow

SLOT = "analyses"
SUBJECT = "request"
#: The fields next to the parameters of a kind.
FIELDS = ("kind", "checkpoint")
DEFAULT_CHECKPOINT = "last"


@dataclass(frozen=True)
class Request:
    """A request whose kind and parameters have been checked."""

    kind: str
    #: An id or a name.
    checkpoint: str
    #: Every parameter of the kind.
    parameters: dict[str, Any]


def check_request(methods: Methods, job: JobRow, raw: Any) -> Request:
    """Check the body of a request.

    Args:
        methods: the catalogue.
        job: the job to analyse.
        raw: the parsed body.

    Raises:
        InvalidSpec: with every fault.
    """
    if not isinstance(raw, dict):
        text = f"is {abbreviated(raw)}; it must be an object with `kind`"
        raise InvalidSpec([Fault("", text)], subject=SUBJECT)
    entries, kind = methods.catalog[SLOT], raw.get("kind")
    faults = [fault for fault in (_checkpoint_fault(raw), _kind_fault(entries, raw)) if fault]
    if not isinstance(kind, str) or kind not in entries:
        raise InvalidSpec(faults, subject=SUBJECT)
    if entries[kind].get("needs_classes") and methods.task(job.spec["loss"]["name"]) != (
        "classification"
    ):
        text = f"is {kind}, which needs classes, but the job predicts a number; choose another kind"
        faults.append(Fault("/kind", text))
    given = {name: value for name, value in raw.items() if name not in FIELDS}
    known = entries[kind]["parameters"].get("properties", {})
    for name in given.keys() - known.keys():
        text = f"{quoted(name)} is not a parameter of {kind}. "
        text += spelling_hint(name, [*known, *FIELDS])
        faults.append(Fault(f"/{escape(name)}", text))
    given = {name: value for name, value in given.items() if name in known}
    filled, wrong = methods.parameters(SLOT, kind, given, "")
    if faults or wrong or filled is None:
        raise InvalidSpec([*faults, *wrong], subject=SUBJECT)
    return Request(kind, raw.get("checkpoint", DEFAULT_CHECKPOINT), filled)


def _checkpoint_fault(raw: dict[str, Any]) -> Fault | None:
    value = raw.get("checkpoint", DEFAULT_CHECKPOINT)
    if isinstance(value, str):
        return None
    text = f"is {abbreviated(value)}; it must be a checkpoint's id, or a name such as last"
    return Fault("/checkpoint", text)


def _kind_fault(entries: dict[str, Any], raw: dict[str, Any]) -> Fault | None:
    available = f"Available: {', '.join(sorted(entries))}"
    if "kind" not in raw:
        return Fault("/kind", f"is required. {available}")
    kind = raw["kind"]
    if not isinstance(kind, str):
        return Fault("/kind", f"is {abbreviated(kind)}; it must be the name of an analysis")
    if kind in entries:
        return None
    return Fault("/kind", f"{quoted(kind)} is not an analysis. {spelling_hint(kind, entries)}")
