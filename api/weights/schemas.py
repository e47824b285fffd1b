"""How uploads of weights look in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel

from api.http.schemas import At, Count, Sha256


class Weights(BaseModel):
    """A safetensors file to fine-tune from."""

    id: str
    object: Literal["weights"]
    name: str
    owner: str
    bytes: Count
    sha256: Sha256
    tensors: Count
    parameters: Count
    created_at: At
