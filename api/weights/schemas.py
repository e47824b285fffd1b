"""Uploaded weights in the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel

from api.http.schemas import Count, Sha256, Timestamp


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
    created_at: Timestamp
