"""The catalogue as JSON Schema: what the parts of a specification that name methods can be."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.catalog import Catalog

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
#: Which component says what a slot's method is, by name or as an object with parameters.
CHOICES = {
    "architectures": "Architecture",
    "losses": "Loss",
    "schedules": "Schedule",
    "initializers": "Initializer",
    "optimizers": "Optimizer",
}
#: The same for an object of methods by name.
NAMED = {"regularizers": "Regularizers", "augmentations": "Augmentation"}


class Method(BaseModel):
    """What is known of a method; some slots say more."""

    model_config = ConfigDict(extra="allow")

    summary: str
    source: str
    parameters: dict[str, Any]
    short_form: str | None


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
    """Every method by its name, a slot a field, and every metric."""

    architectures: dict[str, Method]
    initializers: dict[str, Method]
    regularizers: dict[str, Method]
    augmentations: dict[str, Method]
    losses: dict[str, Method]
    optimizers: dict[str, Method]
    schedules: dict[str, Method]
    metrics: dict[str, Metric]


def ref(model: str) -> Schema:
    """A reference to a component of the document."""
    return {"$ref": REFERENCE.format(model=model)}


def components(catalog: Catalog, beside: dict[str, Schema]) -> dict[str, Schema]:
    """A component for every method, and one for every slot.

    Args:
        catalog: the catalogue.
        beside: of a slot, the fields that stand beside a method's own parameters.
    """
    found: dict[str, Schema] = {}
    for slot, model in CHOICES.items():
        found |= _choices(catalog[slot], slot, model, beside.get(slot, {}))
    # An initializer of some layers has no overrides of its own.
    found |= _choices(catalog["initializers"], "overrides", "Override", {})
    for slot, model in NAMED.items():
        for name, entry in catalog[slot].items():
            found[f"{slot}.{name}"] = {**entry["parameters"], "description": entry["summary"]}
        found[model] = {
            "type": "object",
            "properties": {name: _short(slot, name, one) for name, one in catalog[slot].items()},
            "additionalProperties": False,
        }
    return found


def _choices(entries: dict[str, Any], prefix: str, model: str, beside: Schema) -> dict[str, Schema]:
    """Each method as an object with a name, and the choice of one of them."""
    found = {
        f"{prefix}.{name}": {
            "type": "object",
            "description": entry["summary"],
            "properties": {
                "name": {"const": name},
                **entry["parameters"].get("properties", {}),
                **beside,
            },
            "required": ["name", *entry["parameters"].get("required", [])],
            "additionalProperties": False,
        }
        for name, entry in entries.items()
    }
    bare = [name for name, entry in entries.items() if not _required(entry)]
    found[model] = {"anyOf": [{"enum": bare}, *map(ref, list(found))]}
    return found


def _short(slot: str, name: str, entry: dict[str, Any]) -> Schema:
    """A method under its name: its parameters, the value of its one parameter, true or false."""
    switch: Schema = {"const": False} if _required(entry) else {"type": "boolean"}
    forms = [ref(f"{slot}.{name}"), switch]
    if entry["short_form"] is not None:
        forms.append(entry["parameters"]["properties"][entry["short_form"]])
    return {"anyOf": forms}


def _required(entry: dict[str, Any]) -> list[str]:
    return entry["parameters"].get("required", [])
