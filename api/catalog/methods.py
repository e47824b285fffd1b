"""Checks methods against the catalogue and fills in their defaults."""

import difflib
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from shared.catalog import Catalog
from shared.errors import Fault

LONGEST_SHOWN = 60

Faults = list[Fault]


def shown(value: Any) -> str:
    """A value as a fault shows it: short."""
    text = ascii(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def nearest(name: str, names: Iterable[str]) -> str:
    """What a name was probably meant to be, as the end of a sentence."""
    names = sorted(names)
    if not names:
        return "there is none yet"
    close = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}there are {', '.join(names)}"


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


class Methods:
    """The catalogue with its schemas compiled."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._validators = {
            (slot, name): Draft202012Validator(entry["parameters"])
            for slot, entries in catalog.items()
            for name, entry in entries.items()
        }

    def choice(
        self,
        slot: str,
        raw: Any,
        pointer: str,
        faults: Faults,
        *,
        apart: frozenset[str] = frozenset(),
    ) -> dict[str, Any] | None:
        """A method in object form with its defaults; None where a fault was added.

        Args:
            slot: of the catalogue.
            raw: a name, or an object with a name and parameters.
            pointer: where it stands.
            faults: where faults are added.
            apart: fields beside the name that are not parameters.
        """
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            return None  # the structure's own check says so
        name = raw["name"]
        if name not in self.catalog[slot]:
            text = f"{shown(name)} is not in the catalogue's {slot}; "
            faults.append(Fault(f"{pointer}/name", text + nearest(name, self.catalog[slot])))
            return None
        given = {key: value for key, value in raw.items() if key != "name" and key not in apart}
        filled = self.parameters(slot, name, given, pointer, faults)
        return None if filled is None else {"name": name, **filled}

    def named(self, slot: str, raw: Any, pointer: str, faults: Faults) -> dict[str, Any]:
        """An object of methods by name, each in object form; short forms are written out."""
        filled: dict[str, Any] = {}
        if not isinstance(raw, dict):
            return filled
        for name, value in raw.items():
            at = f"{pointer}/{escaped(name)}"
            if name not in self.catalog[slot]:
                text = f"{shown(name)} is not in the catalogue's {slot}; "
                faults.append(Fault(at, text + nearest(name, self.catalog[slot])))
                continue
            given = self._written_out(slot, name, value, at, faults)
            if given is not None:
                found = self.parameters(slot, name, given, at, faults)
                if found is not None:
                    filled[name] = found
        return filled

    def parameters(
        self, slot: str, name: str, given: dict[str, Any], pointer: str, faults: Faults
    ) -> dict[str, Any] | None:
        """Parameters with their defaults; None where a fault was added."""
        found = [
            _fault(error, pointer) for error in self._validators[slot, name].iter_errors(given)
        ]
        if found:
            faults += found
            return None
        properties = self.catalog[slot][name]["parameters"].get("properties", {})
        filled = {key: part["default"] for key, part in properties.items() if "default" in part}
        return filled | {key: _exact(value, properties[key]) for key, value in given.items()}

    def _written_out(
        self, slot: str, name: str, value: Any, pointer: str, faults: Faults
    ) -> dict[str, Any] | None:
        schema = self.catalog[slot][name]["parameters"]
        properties, short = schema.get("properties", {}), self.catalog[slot][name]["short_form"]
        if isinstance(value, dict):
            return value
        if value is True:
            return {}
        if value is None or value is False or short is None:
            takes = f"an object with {', '.join(properties)}" if properties else "true"
            faults.append(Fault(pointer, f"is {shown(value)}; {name} takes {takes}, or true"))
            return None
        return {short: value}


def _exact(value: Any, schema: dict[str, Any]) -> Any:
    """An integer that JSON wrote with a point, as an integer."""
    if schema.get("type") == "integer" and isinstance(value, float):
        return int(value)
    return value


def _fault(error: ValidationError, pointer: str) -> Fault:
    """One fault in our words: what was given, what is allowed."""
    at = pointer + "".join(f"/{escaped(str(part))}" for part in error.absolute_path)
    schema: dict[str, Any] = error.schema  # pyright: ignore[reportAssignmentType]
    value: Any = error.instance
    keyword, bound = error.validator, error.validator_value
    if keyword == "additionalProperties":
        properties = schema.get("properties", {})
        unknown = next(key for key in value if key not in properties)
        return Fault(
            f"{at}/{escaped(unknown)}", f"is not a parameter; {nearest(unknown, properties)}"
        )
    if keyword == "required":
        missing = next(key for key in schema.get("required", []) if key not in value)
        return Fault(f"{at}/{escaped(missing)}", "is missing")
    says = {
        "minimum": f"must be at least {bound}",
        "maximum": f"must be at most {bound}",
        "exclusiveMinimum": f"must be more than {bound}",
        "exclusiveMaximum": f"must be less than {bound}",
        "minItems": f"must have at least {bound} entries",
        "maxItems": f"must have at most {bound} entries",
        "enum": f"must be one of {', '.join(map(str, bound))}" if isinstance(bound, list) else "",
        "const": f"must be {bound!r}",
        "type": f"must be of type {bound}",
        "anyOf": "is of none of the types admitted",
    }.get(str(keyword), f"breaks the rule {keyword}: {shown(bound)}")
    return Fault(at, f"{says}, and is {shown(value)}")
