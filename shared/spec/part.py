"""The base classes of the parts of a specification."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.spec.fields import MethodName


class SpecPart(BaseModel):
    """A part of a specification. It is immutable and refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class MethodSpec(BaseModel):
    """A method by name. Every undeclared field is a parameter of the method."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: MethodName

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the method, without the name and the declared fields."""
        return dict(self.__pydantic_extra__ or {})
