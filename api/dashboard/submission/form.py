"""From a specification to the form and back: values at pointers, and the rest as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from api.dashboard.submission.fields import DEFAULT_METHODS, METHODS, Field, Section

Json = dict[str, Any]

#: The field for everything that has no field of its own.
OTHERS = "/others"
TEXTS = {"/name", "/dataset/name", "/dataset/target"}


def long_form(spec: Json) -> Json:
    """Return a specification in which methods and the data set are objects with a name."""
    result = json.loads(json.dumps(spec))
    for pointer in ("/dataset", *(pointer for pointer, _, _ in METHODS)):
        *parents, last = pointer.strip("/").split("/")
        parent = result
        for name in parents:
            parent = parent.get(name) if isinstance(parent, dict) else None
        if isinstance(parent, dict) and isinstance(parent.get(last), str):
            parent[last] = {"name": parent[last]}
    return result


def rest_of(spec: Json, sections: list[Section]) -> Json:
    """Return what of a specification has no field."""
    pointers = {field.pointer for section in sections for field in section.fields}
    return _without(spec, "", pointers)


def _without(value: Json, pointer: str, pointers: set[str]) -> Json:
    rest = {}
    for name, part in value.items():
        at = f"{pointer}/{name}"
        if at in pointers:
            continue
        if isinstance(part, dict) and any(each.startswith(f"{at}/") for each in pointers):
            part = _without(part, at, pointers)  # noqa: PLW2901
            if not part:
                continue
        if part is not None:
            rest[name] = part
    return rest


def read(values: Mapping[str, str]) -> tuple[Json, list[dict[str, str]]]:
    """Return the specification that a person typed, and the faults of its form.

    A value that is no JSON is passed on as text: the check of the specification says what is
    allowed there.
    """
    spec, faults = {}, []
    others = values.get(OTHERS, "").strip()
    if others:
        try:
            spec = json.loads(others)
        except ValueError as error:
            faults.append({"pointer": OTHERS, "detail": f"is not JSON: {error}"})
        if not isinstance(spec, dict):
            faults.append({"pointer": OTHERS, "detail": "is not an object; write {…}"})
            spec = {}
    for pointer, text in values.items():
        if pointer.startswith("/") and pointer != OTHERS and text.strip():
            _set(spec, pointer, text if pointer in TEXTS else _value(text.strip()))
    return spec, faults


def drop_parameters_of_other_methods(spec: Json, shown: Mapping[str, str]) -> None:
    """Remove the parameters of a method that was exchanged: they belong to the method before.

    Args:
        spec: as it was typed; changed.
        shown: the names of the methods whose fields the page shows, by pointer.
    """
    for pointer, _, _ in METHODS:
        part: Any = spec
        for name in pointer.strip("/").split("/"):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict) and shown.get(pointer, part.get("name")) != part.get("name"):
            kept = {"name", "learning_rate", "schedule", "gradient_clipping", "overrides"}
            for name in part.keys() - kept:
                del part[name]


def name_default_methods(spec: Json) -> None:
    """Name the default method where only its parameters are set, as the form shows it.

    Args:
        spec: as it was typed; changed.
    """
    for pointer, default in DEFAULT_METHODS.items():
        part: Any = spec
        for name in pointer.strip("/").split("/"):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict) and part:
            part.setdefault("name", default)


def keep_texts(sections: list[Section], texts: Mapping[str, str]) -> None:
    """Show each value as it was typed: `1e9` and not `1000000000.0`."""
    for section in sections:
        for each in section.fields:
            if each.value:
                each.value = texts.get(each.pointer, "").strip() or each.value


def attach(sections: list[Section], faults: list[dict[str, str]]) -> None:
    """Give each fault to the field at its pointer, or to the nearest field above."""
    fields = {field.pointer: field for section in sections for field in section.fields}
    for fault in faults:
        at = fault["pointer"]
        while at and at not in fields and f"{at}/name" not in fields:
            at = at.rpartition("/")[0]
        found: Field | None = fields.get(at) or fields.get(f"{at}/name")
        if found is not None:
            found.faults.append(fault["detail"])
            fault["id"] = found.id


def shown_methods(spec: Json) -> dict[str, str]:
    """Return the names of the methods of a specification by pointer."""
    found = {}
    for pointer, _, _ in METHODS:
        part: Any = spec
        for name in (*pointer.strip("/").split("/"), "name"):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, str):
            found[pointer] = part
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _set(spec: Json, pointer: str, value: Any) -> None:
    *parents, last = pointer.strip("/").split("/")
    part = spec
    for name in parents:
        inner = part.get(name)
        part[name] = inner if isinstance(inner, dict) else {}
        part = part[name]
    part[last] = value


def others_text(rest: Json) -> str:
    """Return the rest of a specification as the text of its field."""
    return json.dumps(rest, indent=2, ensure_ascii=False) if rest else ""
