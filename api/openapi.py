"""The OpenAPI document: what FastAPI finds in the signatures, and the specification's schema."""

from functools import cache
from typing import Any

from fastapi import FastAPI

from api.catalog.schemas import CHOICES, NAMED, REFERENCE, components, ref
from api.errors import PROBLEM
from shared.catalog import Catalog
from shared.datasets import FACTS
from shared.spec import JobSpec

#: For routes that read the body themselves, strictly.
SPEC_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": ref("JobSpec"),
                "example": {"dataset": "digits", "architecture": "mlp"},
            }
        },
    }
}
#: What of the specification's own models the catalogue says better.
SAID_BY_THE_CATALOG = ("MethodSpec", "InitializerSpec", "OptimizerSpec")


def complete(app: FastAPI) -> None:
    """Put the specification's schema into the document, with the methods of the catalogue."""
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        schemas |= specification(app.state.services.methods.catalog) | {"Problem": PROBLEM}
        for name in SAID_BY_THE_CATALOG:
            schemas.pop(name, None)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _keep_possible_refusals(path, operation)
        return document

    app.openapi = openapi


def _keep_possible_refusals(path: str, operation: dict[str, Any]) -> None:
    """Of all refusals that there are, leave those that such a request can meet."""
    has_body, answers = "requestBody" in operation, operation["responses"]
    is_possible = {
        "401": "security" in operation,
        "404": "{" in path,
        "409": "{" in path,
        "413": has_body,
        "415": has_body,
        "416": "206" in answers,
        "422": has_body or "parameters" in operation,
    }
    for status, is_there in is_possible.items():
        if not is_there:
            answers.pop(status, None)


def specification(catalog: Catalog) -> dict[str, Any]:
    """`JobSpec` and every component that it refers to."""
    job = JobSpec.model_json_schema(ref_template=REFERENCE)
    models: dict[str, Any] = job.pop("$defs")
    _, initializer, optimizer = (models.pop(name) for name in SAID_BY_THE_CATALOG)
    overrides = {"type": "object", "additionalProperties": ref("Override")}
    beside = {
        "initializers": _beside(initializer, overrides=overrides),
        "optimizers": _beside(optimizer, schedule=ref("Schedule")),
    }
    names = {"enum": sorted(FACTS)}
    models["DatasetSpec"]["properties"]["name"] = names
    stage, fields = models["StageSpec"]["properties"], job["properties"]
    stage["optimizer"] = _said(stage["optimizer"], {"anyOf": [ref("Optimizer"), {"type": "null"}]})
    fields["dataset"] = {"anyOf": [names, ref("DatasetSpec")]}
    for model in (*CHOICES.values(), *NAMED.values()):
        if model.lower() in fields:
            fields[model.lower()] = _said(fields[model.lower()], ref(model))
    return {**models, **components(catalog, beside), "JobSpec": job}


def _beside(model: dict[str, Any], **said: dict[str, Any]) -> dict[str, Any]:
    """The fields that stand beside a method's own parameters; some are said anew."""
    fields = {name: part for name, part in model["properties"].items() if name != "name"}
    return fields | {name: _said(fields[name], part) for name, part in said.items()}


def _said(part: dict[str, Any], anew: dict[str, Any]) -> dict[str, Any]:
    """What is said anew of a field, with the default that it has."""
    kept = {name: part[name] for name in ("default", "maxProperties") if name in part}
    return kept | anew
