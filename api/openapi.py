"""The OpenAPI document: FastAPI's own, with the specification's schema from the catalogue."""

from functools import cache
from typing import Any

from fastapi import FastAPI

from api.catalog.schemas import (
    METHOD_COMPONENTS,
    METHOD_MAP_COMPONENTS,
    REFERENCE,
    analysis_components,
    components,
    reference,
)
from api.http.problem import PROBLEM
from api.jobs.changes import JobPatch
from shared.catalog import METRICS, Catalog
from shared.datasets import FACTS
from shared.spec import JobSpec
from shared.uploaded_datasets import REFERENCE_PATTERN

#: The body of routes that read and check a specification themselves.
SPEC_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": reference("JobSpec"),
                "example": {"dataset": "digits", "architecture": "mlp"},
            }
        },
    }
}
#: The body of a change of a job.
PATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/merge-patch+json": {
                "schema": reference("JobPatch"),
                "example": {"priority": "high", "tags": {"group": "vision", "old": None}},
            }
        },
    }
}
#: The body of a request for an analysis, with the parameters of its kind.
ANALYSIS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": reference("AnalysisRequest"),
                "example": {"kind": "curvature", "checkpoint": "last"},
            }
        },
    }
}
#: Addresses without an id that may conflict with a state: of a data set, of a damaged record, or
#: of another backup.
WITH_CONFLICTS = {"/v1/augmentation/preview", "/v1/backup", "/v1/compare"}
#: Addresses whose query names what may not exist.
WITH_NAMES = {"/v1/analyses", "/v1/compare", "/v1/leaderboard", "/v1/leaderboard/left-out"}
#: Operations that are refused while the disk is nearly full.
NEEDS_DISK = {"submit_job", "retry_job", "fork_job", "verify_finding"}
#: Models of the specification that are replaced by components made from the catalogue.
REPLACED_MODELS = ("MethodSpec", "InitializerSpec", "LossSpec", "OptimizerSpec")


def extend_openapi(app: FastAPI) -> None:
    """Add the specification's schema and the form of errors to the application's document."""
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        schemas |= specification_schemas(app.state.services.methods.catalog)
        schemas |= analysis_components(app.state.services.methods.catalog["analyses"])
        schemas["JobPatch"] = _patch_schema()
        schemas["Problem"] = PROBLEM
        schemas["Job"]["properties"]["metrics"]["description"] = metrics_description(
            app.state.services.methods.catalog
        )
        for name in REPLACED_MODELS:
            schemas.pop(name, None)
        _remove_default_objects(schemas)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _remove_impossible_errors(path, operation)
                _remove_nulls(operation)
        return document

    app.openapi = openapi


def _remove_default_objects(schema: Any) -> None:
    """Remove defaults that are objects, which generators of clients do not support."""
    if isinstance(schema, list):
        for part in schema:
            _remove_default_objects(part)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("default"), dict) and ("$ref" in schema or "anyOf" in schema):
        del schema["default"]
    for part in schema.values():
        _remove_default_objects(part)


def _remove_nulls(operation: dict[str, Any]) -> None:
    """Remove null from the schemas of parameters, which are left out instead."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        others = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
        if len(others) == 1:
            del schema["anyOf"]
            schema.update(others[0])


def _remove_impossible_errors(path: str, operation: dict[str, Any]) -> None:
    """Remove the error responses that an operation cannot have."""
    has_body, responses = "requestBody" in operation, operation["responses"]
    is_possible = {
        "401": "security" in operation,
        "403": "security" in operation,
        "404": "{" in path or path in WITH_NAMES,
        "409": "{" in path or path in WITH_CONFLICTS,
        "412": any(each["name"] == "if-match" for each in operation.get("parameters", ())),
        "413": has_body,
        "415": has_body,
        "416": "206" in responses,
        "507": operation["operationId"] in NEEDS_DISK,
    }
    for status, is_kept in is_possible.items():
        if not is_kept:
            responses.pop(status, None)


def metrics_description(catalog: Catalog) -> str:
    """Return what each metric is, as a Markdown list."""
    declared = catalog[METRICS].items()
    lines = [f"* `{name}` ({metric['unit']}): {metric['summary']}" for name, metric in declared]
    return "The latest value by name.\n\n" + "\n".join(lines)


def _patch_schema() -> dict[str, Any]:
    """Return the schema of a change of a job."""
    schema = JobPatch.model_json_schema(ref_template=REFERENCE)
    for field in schema["properties"].values():
        del field["default"]  # a client that sent null would set the field to its default
    _declare_names(schema["properties"]["tags"]["anyOf"][0])
    return schema


def specification_schemas(catalog: Catalog) -> dict[str, Any]:
    """Return `JobSpec` and every component that it refers to."""
    job = JobSpec.model_json_schema(ref_template=REFERENCE)
    models: dict[str, Any] = job.pop("$defs")
    _, initializer, loss, optimizer = (models.pop(name) for name in REPLACED_MODELS)
    overrides = {"type": "object", "additionalProperties": reference("Override")}
    further_fields = {
        "initializers": _further_fields(initializer, overrides=overrides),
        "losses": _further_fields(loss),
        "optimizers": _further_fields(optimizer, schedule=reference("Schedule")),
    }
    dataset_names = {
        "type": "string",
        "pattern": f"^{REFERENCE_PATTERN}$",
        "description": f"{', '.join(sorted(FACTS))}, or an upload: `name` or `name@version`",
    }
    models["DatasetSpec"]["properties"]["name"] = dataset_names
    models["DiagnosticsSpec"]["properties"]["rules"] = reference("DiagnosticRules")
    stage, fields = models["StageSpec"]["properties"], job["properties"]
    _declare_names(fields["tags"])
    stage["optimizer"] = _with_schema(
        stage["optimizer"], {"anyOf": [reference("Optimizer"), {"type": "null"}]}
    )
    fields["dataset"] = {"anyOf": [dataset_names, reference("DatasetSpec")]}
    for model in (*METHOD_COMPONENTS.values(), *METHOD_MAP_COMPONENTS.values()):
        if model.lower() in fields:
            fields[model.lower()] = _with_schema(fields[model.lower()], reference(model))
    return {**models, **components(catalog, further_fields), "JobSpec": job}


def _declare_names(field: dict[str, Any]) -> None:
    """Make the pattern of an object's names a rule for all of them, as it is.

    pydantic declares what the properties are whose names match, and nothing of the others.
    """
    ((pattern, value),) = field.pop("patternProperties").items()
    field["additionalProperties"] = value
    field["propertyNames"]["pattern"] = pattern


def _further_fields(model: dict[str, Any], **schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the fields next to a method's own parameters; `schemas` replaces some of theirs."""
    fields = {name: field for name, field in model["properties"].items() if name != "name"}
    return fields | {name: _with_schema(fields[name], schema) for name, schema in schemas.items()}


def _with_schema(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a field with another schema, but with its own default."""
    preserved = {name: field[name] for name in ("default", "maxProperties") if name in field}
    return preserved | schema
