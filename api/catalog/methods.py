"""The catalogue's methods: check what a request says of them and fill in their defaults."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator

from api.catalog.hints import hint
from api.catalog.metrics import TaskName
from api.catalog.places import SLOT_PLACES
from api.catalog.schema_faults import faults_of
from api.http.faults import abbreviated, quoted
from api.http.json_pointer import escape
from shared.catalog import SLOTS, Catalog
from shared.errors import MAX_FAULTS, Fault

Filled = dict[str, Any]


class Methods:
    """The catalogue with its schemas compiled.

    The checks return what they filled in and the faults that they found, at most one more than
    an answer reports.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._validators = {
            (slot, name): Draft202012Validator(entry["parameters"])
            for slot in SLOTS
            for name, entry in catalog.get(slot, {}).items()
        }

    def task(self, loss: str) -> TaskName:
        """Return the task that a loss is for.

        Args:
            loss: its name. A name that is not in the catalogue, as in a job of a newer version,
                is taken as a loss for classification.
        """
        is_number = self.catalog["losses"].get(loss, {}).get("target") == "number"
        return "regression" if is_number else "classification"

    def with_fact(self, slot: str, fact: str) -> list[str]:
        """Return the names of a slot's methods that have a fact, sorted."""
        return sorted(name for name, entry in self.catalog[slot].items() if entry.get(fact))

    def choice(
        self, slot: str, raw: Any, pointer: str, *, reserved: frozenset[str] = frozenset()
    ) -> tuple[Filled | None, list[Fault]]:
        """Fill in one method: `{"name": …}` with every parameter; None where it has faults.

        Args:
            slot: of the catalogue.
            raw: a name, or an object with a name and parameters. Anything else gives None
                without a fault: the check of the structure reports it.
            pointer: where the method stands.
            reserved: fields next to the name that are not parameters of the method.
        """
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            return None, []
        name = raw["name"]
        if name not in self.catalog[slot]:
            return None, [self._unknown(slot, name, f"{pointer}/name")]
        given = {key: value for key, value in raw.items() if key != "name" and key not in reserved}
        fields = reserved | {"name"}
        filled, faults = self.parameters(slot, name, given, pointer, fields)
        return (None if filled is None else {"name": name, **filled}), faults

    def named(self, slot: str, raw: Any, pointer: str) -> tuple[Filled, list[Fault]]:
        """Fill in an object of methods by name; a method with faults or `false` is left out.

        Args:
            slot: of the catalogue.
            raw: `{name: parameters, true, false or the value of the only parameter}`.
            pointer: where the object stands.
        """
        filled: Filled = {}
        faults: list[Fault] = []
        for name, value in raw.items() if isinstance(raw, dict) else ():
            if len(faults) > MAX_FAULTS:
                break
            at = f"{pointer}/{escape(name)}"
            if name not in self.catalog[slot]:
                faults.append(self._unknown(slot, name, at))
                continue
            if value is False:
                continue
            given = self._object_form(slot, name, value)
            if given is None:
                faults.append(Fault(at, self._accepted_forms(slot, name, value)))
                continue
            parameters, wrong = self.parameters(slot, name, given, at)
            faults += wrong
            if parameters is not None:
                filled[name] = parameters
        return filled, faults

    def parameters(
        self,
        slot: str,
        name: str,
        given: Filled,
        pointer: str,
        fields: frozenset[str] = frozenset(),
    ) -> tuple[Filled | None, list[Fault]]:
        """Check a method's parameters and fill in their defaults; None where they have faults.

        Args:
            slot: of the catalogue.
            name: of the method.
            given: its parameters.
            pointer: where they stand.
            fields: other fields that are allowed next to them.
        """
        faults: dict[str, Fault] = {}
        for fault in islice(self._faults(slot, name, given, pointer, fields), MAX_FAULTS + 1):
            faults.setdefault(fault.pointer, fault)
        if faults:
            return None, list(faults.values())
        schemas = self._schemas(slot, name)
        filled = {key: part["default"] for key, part in schemas.items() if "default" in part}
        return filled | {key: _typed(value, schemas[key]) for key, value in given.items()}, []

    def _faults(
        self, slot: str, name: str, given: Filled, pointer: str, fields: frozenset[str]
    ) -> Iterator[Fault]:
        """Yield the faults of parameters; the entries of a list that is too long are not read."""
        schemas = self._schemas(slot, name)
        readable: Filled = {}
        for key, value in given.items():
            limit = schemas.get(key, {}).get("maxItems")
            if limit is not None and isinstance(value, list) and len(value) > limit:
                text = f"has {len(value)} entries; at most {limit} are allowed"
                yield Fault(f"{pointer}/{escape(key)}", text)
            else:
                readable[key] = value
        for error in self._validators[slot, name].iter_errors(readable):
            yield from faults_of(error, pointer, fields)

    def _schemas(self, slot: str, name: str) -> dict[str, Any]:
        return self.catalog[slot][name]["parameters"].get("properties", {})

    def _unknown(self, slot: str, name: str, pointer: str) -> Fault:
        text = f"{quoted(name)} is not {SLOT_PLACES[slot].noun}. {hint(name, self.catalog[slot])}"
        return Fault(pointer, text)

    def _object_form(self, slot: str, name: str, value: Any) -> Filled | None:
        """Return the object that a short form stands for; None where it stands for nothing."""
        short = self.catalog[slot][name]["short_form"]
        if isinstance(value, dict):
            return value
        if value is True:
            return {}
        return None if value is None or short is None else {short: value}

    def _accepted_forms(self, slot: str, name: str, value: Any) -> str:
        names = ", ".join(self._schemas(slot, name))
        forms = f"an object with {names}, true or false" if names else "true or false"
        return f"is {abbreviated(value)}; it must be {forms}"


def _typed(value: Any, schema: dict[str, Any]) -> Any:
    """Convert a JSON number to the type that its schema names, since JSON has only one."""
    if isinstance(value, list):
        return [_typed(entry, schema.get("items", {})) for entry in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    types = _types(schema)
    if "number" in types:
        return float(value)
    return int(value) if "integer" in types else value


def _types(schema: dict[str, Any]) -> set[str]:
    parts: Iterable[dict[str, Any]] = (schema, *schema.get("anyOf", ()))
    return {part["type"] for part in parts if "type" in part}
