"""The types of which the fields of a specification are made: text, numbers, names.

In an annotation, validators come after pydantic's bounds. In another order the bounds would be
missing from the JSON Schema and thus from the OpenAPI document.
"""

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

#: The largest integer that every JSON reader represents exactly.
MAX_INTEGER = 2**53 - 1
MAX_SEED = MAX_INTEGER
#: The maximum number of epochs of a job, and thus of all its stages together.
MAX_EPOCHS = 100_000
#: The maximum number of images, rows or classes.
MAX_COUNT = MAX_INTEGER
MAX_COLUMN_NAME_LENGTH = 200
#: The maximum number of feature columns of a table.
MAX_FEATURES = 10_000


#: Characters that no text may contain, for patterns: control characters, line separators, and
#: characters that hide or reorder others. `check_text` also refuses those without a meaning yet.
REFUSED_CHARACTERS = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
)
TEXT_PATTERN = f"^[^{REFUSED_CHARACTERS}]*$"


class _PlainText(AfterValidator):
    """A validator of text that declares its pattern in the JSON Schema."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": TEXT_PATTERN}


def check_text(value: str) -> str:
    """Refuse control characters, line separators, and characters that reorder or hide text."""
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise ValueError(
                f"it contains U+{ord(character):04X}, but control, invisible and bidirectional "
                "characters are not allowed"
            )
    return value


def _check_number(value: object) -> object:
    """Refuse booleans and strings, which pydantic would convert to numbers."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("number_type", "it must be a number")
    return value


def one_of_numbers(*numbers: int) -> BeforeValidator:
    """Return a validator that refuses booleans where only these numbers are allowed.

    pydantic compares with the numbers, and `False == 0`.
    """
    allowed = " or ".join(map(str, numbers))

    def check(value: object) -> object:
        if isinstance(value, bool):
            raise ValueError(f"it must be {allowed}")
        return value

    return BeforeValidator(check)


#: The JSON Schema of `Layers`.
_LAYERS_SCHEMA: dict[str, Any] = {
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


def _check_layers(value: object) -> object:
    """Accept "head", "all" or {"from": pattern}."""
    pattern = value["from"] if isinstance(value, dict) and list(value) == ["from"] else None
    if value not in ("head", "all") and not (isinstance(pattern, str) and 0 < len(pattern) <= 200):
        raise ValueError('it must be "head", "all" or {"from": the name or pattern of a layer}')
    return value


_LOWER_CASE_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_TABLE_FILE = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,180}\.(csv|parquet)$"
_DIGEST = r"^sha256:[0-9a-f]{64}$"
#: Each pattern in words, for messages.
PATTERN_RULES = {
    _LOWER_CASE_NAME: "it must begin with a-z and have only a-z, 0-9 and _, at most 64 characters",
    _TABLE_FILE: "it must have only A-Z, a-z, 0-9, '.', '_' and '-', no folder, begin with a "
    "letter, a digit or '_', and end with .csv or .parquet",
    _DIGEST: "it must be sha256: and 64 digits of 0-9 and a-f",
}

#: Text without control and invisible characters.
PLAIN_TEXT = _PlainText(check_text)
#: An integer or a number, but not a boolean or a string.
NUMBER = BeforeValidator(_check_number)

MethodName = Annotated[str, Field(min_length=1, max_length=100), PLAIN_TEXT]
MetricName = Annotated[str, Field(pattern=_LOWER_CASE_NAME)]
StageName = Annotated[str, Field(pattern=_LOWER_CASE_NAME)]
ColumnName = Annotated[str, Field(min_length=1, max_length=MAX_COLUMN_NAME_LENGTH), PLAIN_TEXT]
Digest = Annotated[str, Field(pattern=_DIGEST)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT), NUMBER]
Epochs = Annotated[int, Field(ge=1, le=MAX_EPOCHS), NUMBER]
#: A file name without a directory, so that no path leads out of the folder of tables.
TableFile = Annotated[str, Field(pattern=_TABLE_FILE)]
#: The layers that a stage trains.
Layers = Annotated[Any, AfterValidator(_check_layers), WithJsonSchema(_LAYERS_SCHEMA)]
Mode = Literal["min", "max"]


def allow_name(model: type[BaseModel]) -> BeforeValidator:
    """Return a validator that accepts a bare name for the method with its defaults."""
    return BeforeValidator(_expand_name, json_schema_input_type=MethodName | model)


def _expand_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
