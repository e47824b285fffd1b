"""The body of a fork in the OpenAPI document."""

from typing import Any

from api.http.requests import id_pattern

JSON_PATCH = "application/json-patch+json"
POINTER: dict[str, Any] = {"type": "string", "pattern": "^(/.*)?$"}


def _operation(names: list[str], **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"op": {"enum": names}, "path": POINTER, **fields},
        "required": ["op", "path", *fields],
    }


OPERATIONS: dict[str, Any] = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "anyOf": [
            _operation(["add", "replace", "test"], value={}),
            _operation(["move", "copy"], **{"from": POINTER}),
            _operation(["remove"]),
        ]
    },
}
EXAMPLE = [{"op": "replace", "path": "/optimizer/learning_rate", "value": 0.01}]
_CHECKPOINT = {"from_checkpoint": {"type": "string", "maxLength": 100}}
_OBJECT: dict[str, Any] = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"patch": OPERATIONS, **_CHECKPOINT},
            "required": ["patch"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "finding": {"type": "string", "pattern": id_pattern("fnd")},
                "patch": {"type": "string", "pattern": id_pattern("pat")},
                **_CHECKPOINT,
            },
            "required": ["finding"],
            "additionalProperties": False,
        },
    ]
}
FORK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _OBJECT, "example": {"patch": EXAMPLE}},
            JSON_PATCH: {"schema": OPERATIONS, "example": EXAMPLE},
        },
    }
}
