"""The catalogue as JSON Schema: the parts of a specification that name methods."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.catalog import Catalog
from shared.spec.job import MAX_RUNTIME_SECONDS

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
#: The component for a method of a slot: its name, or an object with name and parameters.
METHOD_COMPONENTS = {
    "architectures": "Architecture",
    "losses": "Loss",
    "schedules": "Schedule",
    "initializers": "Initializer",
    "optimizers": "Optimizer",
}
#: The component for an object of methods by name.
METHOD_MAP_COMPONENTS = {
    "regularizers": "Regularizers",
    "augmentations": "Augmentation",
    "diagnostics": "DiagnosticRules",
}


class Method(BaseModel):
    """A method of the catalogue; some slots add further fields."""

    model_config = ConfigDict(extra="allow")

    summary: str
    source: str
    parameters: dict[str, Any]
    short_form: str | None


class PlotLine(BaseModel):
    """A line of a plot."""

    label: str
    x: list[float]
    y: list[float]


class Plot(BaseModel):
    """A plot of a method, computed by its code."""

    title: str
    x_label: str
    y_label: str
    is_x_log: bool = Field(description="Whether the horizontal axis is logarithmic")
    is_y_log: bool = Field(description="Whether the vertical axis is logarithmic")
    lines: list[PlotLine]


class PlottedMethod(Method):
    """A method of the catalogue with its plots."""

    object: Literal["method"]
    name: str
    plots: list[Plot]


class Metric(BaseModel):
    """What the catalogue declares of a metric."""

    split: Literal["train", "validation", "test"] | None
    unit: str
    direction: Literal["higher", "lower"] | None = Field(
        description="Which values are better; null where neither is."
    )
    summary: str
    conditions: dict[str, str | bool] = Field(
        description="What a job must have for the metric to exist."
    )


class Entries(BaseModel):
    """Every method by its name, one field for each slot, and every metric by its name."""

    architectures: dict[str, Method]
    initializers: dict[str, Method]
    regularizers: dict[str, Method]
    augmentations: dict[str, Method]
    losses: dict[str, Method]
    optimizers: dict[str, Method]
    schedules: dict[str, Method]
    analyses: dict[str, Method]
    diagnostics: dict[str, Method]
    metrics: dict[str, Metric]


def reference(model: str) -> Schema:
    """Return a reference to a component of the document."""
    return {"$ref": REFERENCE.format(model=model)}


def components(catalog: Catalog, further_fields: dict[str, Schema]) -> dict[str, Schema]:
    """Return a component for every method and for every slot.

    Args:
        catalog: The catalogue.
        further_fields: By slot, the fields next to a method's own parameters.
    """
    schemas: dict[str, Schema] = {}
    for slot, model in METHOD_COMPONENTS.items():
        schemas |= _alternatives(catalog[slot], slot, model, further_fields.get(slot, {}))
    # The initializer of an override has no overrides itself.
    schemas |= _alternatives(catalog["initializers"], "overrides", "Override", {})
    for slot, model in METHOD_MAP_COMPONENTS.items():
        for name, entry in catalog[slot].items():
            schemas[f"{slot}.{name}"] = {**entry["parameters"], "description": entry["summary"]}
        schemas[model] = {
            "type": "object",
            "properties": {
                name: _map_value(slot, name, entry) for name, entry in catalog[slot].items()
            },
            "additionalProperties": False,
        }
    return schemas


def _alternatives(
    entries: dict[str, Any], prefix: str, model: str, further_fields: Schema
) -> dict[str, Schema]:
    """Return a component for each method as an object, and a component that takes any of them."""
    schemas = {
        f"{prefix}.{name}": {
            "type": "object",
            "description": entry["summary"],
            "properties": {
                "name": {"const": name},
                **entry["parameters"].get("properties", {}),
                **further_fields,
            },
            "required": ["name", *entry["parameters"].get("required", [])],
            "additionalProperties": False,
        }
        for name, entry in entries.items()
    }
    bare_names = [name for name, entry in entries.items() if not _required(entry)]
    schemas[model] = {"anyOf": [{"enum": bare_names}, *map(reference, list(schemas))]}
    return schemas


def _map_value(slot: str, name: str, entry: dict[str, Any]) -> Schema:
    """Return the schema of a method under its name: parameters, short form, true or false."""
    switch: Schema = {"const": False} if _required(entry) else {"type": "boolean"}
    forms = [reference(f"{slot}.{name}"), switch]
    if entry["short_form"] is not None:
        forms.append(entry["parameters"]["properties"][entry["short_form"]])
    return {"anyOf": forms}


def _required(entry: dict[str, Any]) -> list[str]:
    return entry["parameters"].get("required", [])


def analysis_components(entries: dict[str, Any]) -> dict[str, Schema]:
    """Return a component for a request for each kind of analysis, and one for any request.

    Args:
        entries: of the catalogue's slot `analyses`.
    """
    checkpoint: Schema = {
        "type": "string",
        "default": "last",
        "description": "An id, `last`, `initial`, `best_<monitor>` or `epoch_<n>`",
    }
    limit = {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_RUNTIME_SECONDS},
            {"type": "null"},
        ],
        "default": None,
        "description": "In seconds, of all attempts; null for the job's limit",
    }
    schemas: dict[str, Schema] = {
        f"analyses.{name}": {
            "type": "object",
            "description": entry["summary"],
            "properties": {
                "kind": {"const": name},
                "checkpoint": checkpoint,
                "max_runtime_seconds": limit,
                **entry["parameters"].get("properties", {}),
            },
            "required": ["kind", *_required(entry)],
            "additionalProperties": False,
        }
        for name, entry in entries.items()
    }
    schemas["AnalysisRequest"] = {"anyOf": [*map(reference, list(schemas))]}
    return schemas
