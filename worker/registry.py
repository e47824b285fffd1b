"""Registries of methods: the signature is the schema, the docstring is the documentation.

Not a plug-in system: whatever is registered lies in the slot's own folder.
"""

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

_Function = TypeVar("_Function", bound=Callable[..., Any])


class SpecError(ValueError):
    """The specification is invalid: a name, a parameter, or parts that do not fit together."""


@dataclass(frozen=True)
class Entry:
    """One method: its function and what the catalogue says of it.

    Positional-only parameters of the function are what the loop supplies; keyword-only ones
    are what a user may set, annotated with their bounds.
    """

    function: Callable[..., Any]
    source: str
    #: What else the catalogue says of the method; JSON values only.
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The key: the function's own name."""
        return self.function.__name__

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @cached_property
    def parameters(self) -> type[BaseModel]:
        """The model of what a user may set; unknown names are refused."""
        described = argument_texts(self.function)
        fields: dict[str, Any] = {}
        for name, parameter in inspect.signature(self.function, eval_str=True).parameters.items():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (parameter.annotation, default)
        model = create_model(
            self.name,
            __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True),
            **fields,
        )
        for name, field in model.model_fields.items():
            field.description = described.get(name)
        model.model_rebuild(force=True)
        return model

    def fill(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the given parameters and add the defaults of the others.

        Raises:
            ValueError: a parameter is unknown or out of its bounds; the text names each.
        """
        try:
            checked = self.parameters.model_validate(dict(given))
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (got {fault['input']!r})"
                for fault in error.errors()
            )
            allowed = ", ".join(self.parameters.model_fields) or "none"
            raise ValueError(f"{self.name}: {faults}. Its parameters are: {allowed}.") from error
        return {name: getattr(checked, name) for name in self.parameters.model_fields}

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what a user may set, with defaults, bounds and descriptions."""
        return _without_titles(self.parameters.model_json_schema())


class Registry:
    """The methods of one slot, by name."""

    def __init__(self, slot: str) -> None:
        self.slot = slot
        self._entries: dict[str, Entry] = {}
        self._is_discovered = False

    def register(self, *, source: str, **facts: Any) -> Callable[[_Function], _Function]:
        """Register the decorated function under its own name.

        Args:
            source: where the method is from: paper and equation, or what else defines it.
            **facts: what else the catalogue should say of it, as JSON values.

        Raises:
            ValueError: the name is taken.
        """

        def decorate(function: _Function) -> _Function:
            entry = Entry(function=function, source=source, facts=facts)
            if entry.name in self._entries:
                raise ValueError(f"{self.slot} has {entry.name!r} already; take another name")
            self._entries[entry.name] = entry
            return function

        return decorate

    def entries(self) -> dict[str, Entry]:
        """All methods of the slot, sorted by name."""
        if not self._is_discovered:
            package = importlib.import_module(f"worker.{self.slot}")
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{package.__name__}.{module.name}")
            self._is_discovered = True
        return dict(sorted(self._entries.items()))

    def get(self, name: str) -> Entry:
        """The method of this name.

        Raises:
            ValueError: there is none; the text names the nearest one.
        """
        entries = self.entries()
        if name in entries:
            return entries[name]
        nearest = difflib.get_close_matches(name, entries, n=1, cutoff=0.0)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        allowed = ", ".join(entries) or "nothing yet"
        raise ValueError(f"{self.slot} has no {name!r}{hint} It has: {allowed}.")


def argument_texts(function: Callable[..., Any]) -> dict[str, str]:
    """The text of each argument in the `Args:` section of a Google-style docstring."""
    section = re.search(
        r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL
    )
    if section is None:
        return {}
    found = re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\w+: |\Z)", section[1], re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def _without_titles(schema: Any) -> Any:
    """A schema without pydantic's titles, which repeat the names."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(part) for name, part in value.items()}
        if key == "properties"
        else _without_titles(value)
        for key, value in schema.items()
        if key != "title"
    }


architectures = Registry("architectures")
initializers = Registry("initializers")
regularizers = Registry("regularizers")
augmentations = Registry("augmentations")
losses = Registry("losses")
optimizers = Registry("optimizers")
schedules = Registry("schedules")

SLOTS: dict[str, Registry] = {
    registry.slot: registry
    for registry in (
        architectures,
        initializers,
        regularizers,
        augmentations,
        losses,
        optimizers,
        schedules,
    )
}
