"""The OpenAPI document: what FastAPI finds in the signatures, and the specification's schema."""

from typing import Any

from fastapi import FastAPI

from shared.spec import JobSpec

REFERENCE = "#/components/schemas/{model}"

#: For routes that read the body themselves, strictly.
SPEC_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REFERENCE.format(model="JobSpec")},
                "example": {"dataset": "digits", "architecture": "mlp"},
            }
        },
    }
}


def complete(app: FastAPI) -> None:
    """Put the specification's schema into the document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schema = JobSpec.model_json_schema(ref_template=REFERENCE)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= schema.pop("$defs", {})
            schemas["JobSpec"] = schema
        return generate()

    app.openapi = openapi
