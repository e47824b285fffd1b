"""Checks methods against the catalogue and fills in their defaults."""

import difflib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from api.http.json_pointer import escape
from shared.catalog import METRICS, Catalog
from shared.errors import MOST_FAULTS, Fault

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


def is_full(faults: Faults) -> bool:
    """Whether there are more faults than an answer names, so that nobody need look for others."""
    return len(faults) > MOST_FAULTS


class Methods:
    """The catalogue with its schemas compiled."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._validators = {
            (slot, name): Draft202012Validator(entry["parameters"])
            for slot, entries in catalog.items()
            if slot != METRICS
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
        if is_full(faults):
            return None
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
            if is_full(faults):
                break
            at = f"{pointer}/{escape(name)}"
            if name not in self.catalog[slot]:
                text = f"{shown(name)} is not in the catalogue's {slot}; "
                faults.append(Fault(at, text + nearest(name, self.catalog[slot])))
                continue
            if value is False:
                continue  # as good as leaving it out
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
        found: dict[str, Fault] = {}
        for fault in islice(self._faults(slot, name, given, pointer), MOST_FAULTS + 1):
            found.setdefault(fault.pointer, fault)
        if found:
            faults += found.values()
            return None
        properties = self._properties(slot, name)
        filled = {key: part["default"] for key, part in properties.items() if "default" in part}
        return filled | {key: _exact(value, properties[key]) for key, value in given.items()}

    def _faults(self, slot: str, name: str, given: dict[str, Any], pointer: str) -> Iterator[Fault]:
        """What is wrong with parameters; nobody looks at the entries of a list that is too long."""
        properties = self._properties(slot, name)
        looked_at: dict[str, Any] = {}
        for key, value in given.items():
            most = properties.get(key, {}).get("maxItems")
            if most is not None and isinstance(value, list) and len(value) > most:
                text = f"must have at most {most} entries, and has {len(value)}"
                yield Fault(f"{pointer}/{escape(key)}", text)
            else:
                looked_at[key] = value
        for error in self._validators[slot, name].iter_errors(looked_at):
            yield from _told(error, pointer)

    def _properties(self, slot: str, name: str) -> dict[str, Any]:
        return self.catalog[slot][name]["parameters"].get("properties", {})

    def _written_out(
        self, slot: str, name: str, value: Any, pointer: str, faults: Faults
    ) -> dict[str, Any] | None:
        properties, short = self._properties(slot, name), self.catalog[slot][name]["short_form"]
        if isinstance(value, dict):
            return value
        if value is True:
            return {}
        if value is None or short is None:
            takes = f"an object with {', '.join(properties)}, true" if properties else "true"
            faults.append(Fault(pointer, f"is {shown(value)}; {name} takes {takes} or false"))
            return None
        return {short: value}


def _exact(value: Any, schema: dict[str, Any]) -> Any:
    """A number of the kind that its schema names: JSON has only one."""
    if isinstance(value, list):
        return [_exact(one, schema.get("items", {})) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    kinds = {part.get("type") for part in (schema, *schema.get("anyOf", ()))}
    if "number" in kinds:
        return float(value)
    return int(value) if "integer" in kinds else value


def _told(error: ValidationError, pointer: str) -> Iterator[Fault]:
    """Faults in our words: what was given, what is allowed."""
    at = pointer + "".join(f"/{escape(str(part))}" for part in error.absolute_path)
    schema: dict[str, Any] = error.schema  # pyright: ignore[reportAssignmentType]
    value: Any = error.instance
    keyword, bound = error.validator, error.validator_value
    if keyword == "additionalProperties":
        properties = schema.get("properties", {})
        for key in value:
            if key not in properties:
                text = f"is not a parameter; {nearest(key, properties)}"
                yield Fault(f"{at}/{escape(key)}", text)
        return
    if keyword == "required":
        # One error a name, which none of them names.
        for key in schema["required"]:
            if key not in value:
                yield Fault(f"{at}/{escape(key)}", "is missing")
        return
    if keyword == "anyOf":
        # What is wrong with it as what it is; else which types there are.
        fitting = [one for one in error.context or () if one.validator != "type"]
        if fitting:
            yield from _told(fitting[0], pointer)
            return
        bound = " or ".join(str(part.get("type")) for part in schema["anyOf"])
    says = {
        "minimum": f"must be at least {bound}",
        "maximum": f"must be at most {bound}",
        "exclusiveMinimum": f"must be more than {bound}",
        "exclusiveMaximum": f"must be less than {bound}",
        "minItems": f"must have {bound} or more entries",
        "maxItems": f"must have at most {bound} entries",
        "enum": f"must be one of {', '.join(map(str, bound))}" if isinstance(bound, list) else "",
        "const": f"must be {bound!r}",
        "type": f"must be of type {bound}",
        "anyOf": f"must be of type {bound}",
        "minLength": f"must have {bound} or more characters",
        "maxLength": f"must have at most {bound} characters",
    }.get(str(keyword), f"breaks the rule {keyword}: {shown(bound)}")
    yield Fault(at, f"{says}, and is {shown(value)}")
