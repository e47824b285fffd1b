"""The registries of methods: a signature is the schema, a docstring is the documentation.

Every method is registered in a module of its slot's folder, `worker/<slot>/`.
"""

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

_Function = TypeVar("_Function", bound=Callable[..., Any])


class SpecError(ValueError):
    """The specification is invalid: a name, a parameter, or parts that do not fit together."""


@dataclass(frozen=True)
class Entry:
    """A method: its function and its entry in the catalogue.

    Positional-only parameters of the function are supplied by the training loop. Keyword-only
    parameters are set by the user, and their annotations carry the bounds.
    """

    function: Callable[..., Any]
    source: str
    #: Further properties of the method for the catalogue, as JSON values.
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The key in the registry: the function's name."""
        return self.function.__name__

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @property
    def description(self) -> str | None:
        """The paragraphs of the docstring between the summary and its sections; None without."""
        text = (inspect.getdoc(self.function) or "").partition("\n")[2]
        paragraphs = re.split(r"^(?:Args|Returns|Raises):$", text, maxsplit=1, flags=re.MULTILINE)
        return re.sub(r"(?<!\n)\n(?!\n)", " ", paragraphs[0].strip()) or None

    @cached_property
    def parameters(self) -> type[BaseModel]:
        """The model of the parameters that a user can set; it refuses unknown names."""
        descriptions = argument_descriptions(self.function)
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
            field.description = descriptions.get(name)
        model.model_rebuild(force=True)
        return model

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of every parameter that has one. Admission fills them into specifications."""
        return {
            name: field.default
            for name, field in self.parameters.model_fields.items()
            if not field.is_required()
        }

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check the parameters of a filled specification, and return them.

        Raises:
            SpecError: a parameter is unknown, missing or out of bounds; the message names each.
        """
        names = self.parameters.model_fields
        faults = [f"`{name}` is missing" for name in names if name not in parameters]
        checked = None
        try:
            checked = self.parameters.model_validate(dict(parameters))
        except ValidationError as error:
            faults += [
                f"`{'.'.join(map(str, fault['loc']))}` is {fault['input']!r}: {fault['msg']}"
                for fault in error.errors()
                if fault["type"] != "missing"
            ]
        if checked is None or faults:
            allowed = ", ".join(names) or "none"
            raise SpecError(f"{self.name}: {'; '.join(faults)}. Parameters: {allowed}.")
        return {name: getattr(checked, name) for name in names}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameters, with defaults, bounds and descriptions."""
        return _without_titles(self.parameters.model_json_schema())


class Registry:
    """The methods of a slot, by name."""

    def __init__(self, slot: str) -> None:
        self.slot = slot
        self._entries: dict[str, Entry] = {}
        self._is_discovered = False

    def register(self, *, source: str, **facts: Any) -> Callable[[_Function], _Function]:
        """Return a decorator that registers a function under its name.

        Args:
            source: the paper and equation of the method, or another definition of it.
            **facts: further properties of the method for the catalogue, as JSON values.

        Raises:
            ValueError: the name is already registered.
        """

        def decorate(function: _Function) -> _Function:
            entry = Entry(function=function, source=source, facts=facts)
            if entry.name in self._entries:
                raise ValueError(f"{entry.name!r} is already registered in {self.slot}")
            self._entries[entry.name] = entry
            return function

        return decorate

    def entries(self) -> dict[str, Entry]:
        """Return all methods of the slot, sorted by name."""
        if not self._is_discovered:
            package = importlib.import_module(f"worker.{self.slot}")
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{package.__name__}.{module.name}")
            self._is_discovered = True
        return dict(sorted(self._entries.items()))

    def get(self, name: str) -> Entry:
        """Return the method of a name.

        Raises:
            SpecError: no method has this name; the message names the nearest.
        """
        entries = self.entries()
        if name in entries:
            return entries[name]
        nearest = difflib.get_close_matches(name, entries, n=1, cutoff=0.0)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise SpecError(
            f"{name!r} is not in the catalogue's {self.slot}.{hint} "
            f"Available: {', '.join(entries) or 'none'}."
        )

    def bind(self, name: str, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """Return a method with all of its parameters set.

        Args:
            name: the method.
            parameters: every parameter that a user can set, as a filled specification has them.

        Raises:
            SpecError: the name or a parameter is not allowed.
        """
        entry = self.get(name)
        return partial(entry.function, **entry.check(parameters))


def argument_descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """Return the text of each argument in the `Args:` section of a Google-style docstring."""
    section = re.search(
        r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL
    )
    if section is None:
        return {}
    pairs = re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\w+: |\Z)", section[1], re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in pairs}


def _without_titles(schema: Any) -> Any:
    """Remove pydantic's titles, which repeat the names."""
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
analyses = Registry("analyses")
diagnostics = Registry("diagnostics")

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
        analyses,
        diagnostics,
    )
}
