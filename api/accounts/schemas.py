"""The bodies of requests and responses about accounts. Fields that are not here are refused."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from api.http.requests import id_pattern
from api.http.schemas import Count, Timestamp
from shared.accounts.key_format import ID_LENGTH
from shared.accounts.roles import Role, Scope
from shared.accounts.users import NAME_PATTERN, RESERVED
from shared.ids import ALPHABET
from shared.spec import SpecPart
from shared.spec.fields import NUMBER, PLAIN_TEXT

MAX_DAYS = 365
DEFAULT_DAYS = 90
MAX_GRACE_SECONDS = 86_400
DEFAULT_GRACE_SECONDS = 3_600
KEY_ID_PATTERN = f"^key_[{ALPHABET}]{{{ID_LENGTH}}}$"

UserName = Annotated[str, Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$"})]
KeyId = Annotated[str, Field(json_schema_extra={"pattern": KEY_ID_PATTERN})]
SessionId = Annotated[str, Field(json_schema_extra={"pattern": id_pattern("ses")})]
AuditId = Annotated[str, Field(json_schema_extra={"pattern": id_pattern("aud")})]


def _check_user_name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError(
            "it must begin with a-z or 0-9 and have only a-z, 0-9, '.', '_' and '-', at most 64 "
            "characters"
        )
    if value in RESERVED:
        raise ValueError("it is an address of the API; use another name")
    return value


NewUserName = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"pattern": f"^{NAME_PATTERN}$"}),
    AfterValidator(_check_user_name),
]
Amount = Annotated[float, Field(ge=0, le=10**12), NUMBER]
Number = Annotated[int, Field(ge=0, le=10**9), NUMBER]
Weight = Annotated[float, Field(gt=0, le=1000), NUMBER]


class LimitValues(SpecPart):
    """What a person may use; null stands for the limit of the settings."""

    running: Number | None = None
    queued: Number | None = None
    device_seconds_week: Amount | None = None
    high_device_seconds_week: Amount | None = None
    storage_mib: Amount | None = None
    requests_per_second: Annotated[float, Field(gt=0, le=10**6), NUMBER] | None = None


class NewUser(SpecPart):
    """A person to add."""

    name: NewUserName
    role: Role = "member"
    weight: Weight = 1.0
    limits: LimitValues = LimitValues()


class UserPatch(SpecPart):
    """Changes of a person. `disabled_at: null` enables a disabled person again."""

    role: Role | None = None
    weight: Weight | None = None
    limits: LimitValues | None = None
    disabled_at: None = None


class NewKeyRequest(SpecPart):
    """A key to make; `user` is for admins, by default the caller."""

    name: Annotated[str, Field(min_length=1, max_length=200), PLAIN_TEXT]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3)]
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS), NUMBER] = DEFAULT_DAYS
    user: Annotated[str, Field(max_length=64)] | None = None


class Rotation(SpecPart):
    """How long the old key stays valid."""

    grace_seconds: Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS), NUMBER] = DEFAULT_GRACE_SECONDS


class Limits(BaseModel):
    """The limits of a person; null where there is none."""

    running: Count | None
    queued: Count | None
    device_seconds_week: float | None
    high_device_seconds_week: float | None
    storage_mib: float | None
    requests_per_second: float | None


class Usage(BaseModel):
    """What a person uses now."""

    running: Count
    queued: Count
    device_seconds_week: float
    high_device_seconds_week: float
    storage_mib: float


class User(BaseModel):
    """A person who uses the box."""

    object: Literal["user"]
    name: str
    role: Role
    weight: float
    limits: Limits
    usage: Usage
    created_at: Timestamp
    disabled_at: Timestamp | None


class Key(BaseModel):
    """A key without its secret."""

    id: str
    object: Literal["key"]
    user: str
    name: str
    prefix: str = Field(description="The beginning of the key")
    scopes: list[Scope]
    created_at: Timestamp
    expires_at: Timestamp
    last_used_at: Timestamp | None = Field(description="To the minute")
    revoked_at: Timestamp | None


class NewKey(Key):
    """A key that was just made."""

    key: str = Field(description="The key itself, shown this once")


class Session(BaseModel):
    """A browser that has logged in."""

    id: str
    object: Literal["session"]
    key: str = Field(description="The id of the key with whose rights the session acts")
    created_at: Timestamp
    last_used_at: Timestamp = Field(description="To the minute")
    ends_at: Timestamp = Field(description="If it is not used again")
    is_current: bool = Field(description="Whether it makes this request")


class AuditEntry(BaseModel):
    """A change that somebody made."""

    id: str
    at: Timestamp
    user: str
    key: str = Field(description="The id of the key")
    action: str
    object: str = Field(description="The id of what was changed")
    outcome: str
    request_id: str
    changes: dict[str, Any]


def body_of(model: type[BaseModel], *, is_required: bool = True) -> dict[str, Any]:
    """Return the declaration of a JSON body that a route reads itself."""
    schema = model.model_json_schema()
    content = {"application/json": {"schema": _inlined(schema, schema.pop("$defs", {}))}}
    return {"requestBody": {"required": is_required, "content": content}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with its references replaced by what they refer to."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    kept = {name: part for name, part in schema.items() if name != "default"}
    return {name: _inlined(part, definitions) for name, part in kept.items()}
