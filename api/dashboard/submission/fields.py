"""The fields of the form: what a specification can set, with bounds, defaults and help."""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from shared.catalog import Catalog
from shared.spec import JobSpec
from shared.states import PRIORITIES

Json = dict[str, Any]

#: Slots with a method each: pointer, slot of the catalogue, title.
METHODS = (
    ("/architecture", "architectures", "Network"),
    ("/initializer", "initializers", "Initial weights"),
    ("/loss", "losses", "Loss"),
    ("/optimizer", "optimizers", "Optimizer"),
    ("/optimizer/schedule", "schedules", "Learning rate schedule"),
)
#: Slots with any number of methods.
METHOD_MAPS = (
    ("/regularizers", "regularizers", "Regularization"),
    ("/augmentation", "augmentations", "Augmentation"),
)
DATASET = ("target", "train", "validation", "test", "image_size", "channels", "normalization")
TRAINING = ("epochs", "batch_size", "precision", "deterministic", "early_stopping")
#: Methods that a specification has without naming them.
DEFAULT_METHODS = {
    "/initializer": "he_normal",
    "/loss": "cross_entropy",
    "/optimizer": "sgd",
    "/optimizer/schedule": "constant",
}
BOUNDS = (
    ("exclusiveMinimum", "> "),
    ("minimum", "≥ "),
    ("exclusiveMaximum", "< "),
    ("maximum", "≤ "),
)
#: A bound beyond is the limit of the format, and no help.
LARGEST_SHOWN = 1e9


@dataclass
class Field:
    """A field of the form; its value is the text that a person typed."""

    pointer: str
    schema: Json
    value: str = ""
    options: list[str] = field(default_factory=list)
    #: Whether another choice changes which fields follow.
    changes_fields: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The name of the field in the specification."""
        return self.pointer.rpartition("/")[2]

    @property
    def id(self) -> str:
        """The id of the control on the page."""
        return control_id(self.pointer)

    @property
    def default(self) -> str:
        """What holds where the field is empty."""
        value = self.schema.get("default")
        return "" if value is None else json.dumps(value).strip('"')

    @property
    def help(self) -> str:
        """What the field means, with its bounds."""
        part = _variant(self.schema)
        bounds = [
            f"{sign}{part[name]:,}"
            for name, sign in BOUNDS
            if name in part and abs(part[name]) <= LARGEST_SHOWN
        ]
        text = self.schema.get("description") or ""
        return " · ".join(filter(None, [text, ", ".join(bounds)]))

    @property
    def is_number(self) -> bool:
        """Whether the value is a number."""
        return _variant(self.schema).get("type") in {"integer", "number"}


@dataclass(frozen=True)
class Section:
    """A part of the form."""

    title: str
    fields: list[Field]
    help: str = ""


def sections(
    catalog: Catalog, spec: Json, datasets: list[str], *, job_name: str = ""
) -> list[Section]:
    """Return the form for a specification whose methods are in their long form.

    Args:
        catalog: declares the methods.
        spec: the specification; the methods that it names decide which fields there are.
        datasets: the names to choose from.
        job_name: what a job is called whose name is left empty.
    """
    found = [_job(job_name), _dataset(datasets)]
    for pointer, slot, title in METHODS:
        name = _get(spec, f"{pointer}/name") or DEFAULT_METHODS.get(pointer, "")
        found.append(_method(catalog, pointer, slot, title, str(name)))
    model = _models()["TrainingSpec"]
    found.append(Section("Training", [_of(model, "/training", name) for name in TRAINING]))
    found += [_map(catalog, *each) for each in METHOD_MAPS]
    for section in found:
        for each in section.fields:
            value = _get(spec, each.pointer)
            each.value = "" if value is None else text_of(value)
            if each.options and each.value and each.value not in each.options:
                each.options = [*each.options, each.value]
    return found


def control_id(pointer: str) -> str:
    """Return the id of the control of a field."""
    return "f" + pointer.replace("/", "-")


def text_of(value: Any) -> str:
    """Return a value of a specification as a person would type it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _job(job_name: str) -> Section:
    schema = _schema()["properties"]
    name = Field("/name", schema["name"] | ({"default": job_name} if job_name else {}))
    priority = Field("/priority", schema["priority"], options=["", *PRIORITIES])
    return Section("Job", [name, Field("/seed", schema["seed"]), priority])


def _dataset(datasets: list[str]) -> Section:
    model = _models()["DatasetSpec"]
    name = Field("/dataset/name", {}, options=["", *datasets])
    return Section("Data", [name, *(_of(model, "/dataset", each) for each in DATASET)])


def _method(catalog: Catalog, pointer: str, slot: str, title: str, name: str) -> Section:
    method = catalog[slot].get(name, {})
    choice = Field(
        f"{pointer}/name",
        {"default": DEFAULT_METHODS.get(pointer)},
        options=["", *sorted(catalog[slot])],
        changes_fields=True,
    )
    common = []
    if slot == "optimizers":
        model = _models()["OptimizerSpec"]
        common = [_of(model, pointer, each) for each in ("learning_rate", "gradient_clipping")]
    properties = method.get("parameters", {}).get("properties", {})
    parameters = [_field(f"{pointer}/{each}", schema) for each, schema in properties.items()]
    return Section(title, [choice, *common, *parameters], method.get("summary") or "")


def _map(catalog: Catalog, pointer: str, slot: str, title: str) -> Section:
    fields = [
        Field(f"{pointer}/{name}", {"description": method["summary"]})
        for name, method in catalog[slot].items()
    ]
    help_text = "Empty: off. true: on, with its defaults. A number, or an object of parameters."
    return Section(title, fields, help_text)


def _of(model: Json, pointer: str, name: str) -> Field:
    return _field(f"{pointer}/{name}", model["properties"][name])


def _field(pointer: str, schema: Json) -> Field:
    part = _variant(schema)
    options = [text_of(value) for value in part.get("enum", ())]
    if part.get("type") == "boolean":
        options = ["true", "false"]
    return Field(pointer, schema, options=["", *options] if options else [])


def _variant(schema: Json) -> Json:
    """Return the schema of the value, where null is another possibility."""
    parts = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return parts[0] if len(parts) == 1 else schema


@cache
def _schema() -> Json:
    return JobSpec.model_json_schema()


def _models() -> dict[str, Json]:
    return _schema()["$defs"]


def _get(spec: Any, pointer: str) -> Any:
    for name in pointer.strip("/").split("/"):
        spec = spec.get(name) if isinstance(spec, dict) else None
    return spec
