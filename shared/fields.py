"""What the fields of a specification are made of: texts, numbers, names. No field itself.

A check of our own stands after pydantic's bounds in an annotation: only so do the bounds reach
the JSON Schema, and through it the OpenAPI document.
"""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

MAX_SEED = 2**53 - 1  # the largest integer that every JSON reader keeps exact
#: Of images, rows, classes: more than there will be, and an integer that every reader keeps.
MAX_COUNT = 2**53 - 1


def _plain_text(value: str) -> str:
    """Refuse control characters and the invisible ones that reorder or hide text."""
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            raise ValueError(
                f"it contains U+{ord(character):04X}, but control, invisible and bidirectional "
                "characters are not allowed"
            )
    return value


def _a_number(value: object) -> object:
    """JSON's true is not a number, whatever Python thinks, and neither is a text with digits."""
    if isinstance(value, bool | str):
        raise ValueError("it must be a number")
    return value


#: Which layers a stage trains, as JSON Schema says it.
_LAYERS: dict[str, Any] = {
    "anyOf": [
        {"enum": ["head", "all"]},
        {
            "type": "object",
            "properties": {"from": {"type": "string", "minLength": 1, "maxLength": 200}},
            "required": ["from"],
            "additionalProperties": False,
        },
    ]
}


def _layers(value: object) -> object:
    """Which layers a stage trains: "head", "all" or {"from": pattern}."""
    is_place = isinstance(value, dict) and list(value) == ["from"]
    pattern = value["from"] if isinstance(value, dict) and is_place else None
    if value not in ("head", "all") and not (isinstance(pattern, str) and 0 < len(pattern) <= 200):
        raise ValueError('it must be "head", "all" or {"from": the name or pattern of a layer}')
    return value


#: After the bounds of a text.
PLAIN_TEXT = AfterValidator(_plain_text)
#: After the bounds of an integer or a number.
NUMBER = BeforeValidator(_a_number)

MethodName = Annotated[str, Field(min_length=1, max_length=100), PLAIN_TEXT]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ColumnName = Annotated[str, Field(min_length=1, max_length=200), PLAIN_TEXT]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT), NUMBER]
Epochs = Annotated[int, Field(ge=1, le=100_000), NUMBER]
#: A name of a file in one folder: no way leads out of it.
TableFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,180}\.(csv|parquet)$")]
Layers = Annotated[Any, AfterValidator(_layers), WithJsonSchema(_LAYERS)]
Mode = Literal["min", "max"]


def allow_name(model: type[BaseModel]) -> BeforeValidator:
    """A bare name stands for that method with its defaults."""
    return BeforeValidator(_named, json_schema_input_type=MethodName | model)


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
