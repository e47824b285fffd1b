"""The loss, and the weights of classes."""

from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from shared.spec.part import MethodSpec

BALANCED = "balanced"
MAX_CLASS_WEIGHT = 1e6
#: The minimum above 0: products of smaller weights and losses vanish in float32.
MIN_CLASS_WEIGHT = 1e-6
#: The JSON Schema of `ClassWeights`.
_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"const": BALANCED},
        {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": MAX_CLASS_WEIGHT},
        },
        {"type": "null"},
    ]
}


def _check_form(value: object) -> object:
    """Accept "balanced", or an object; admission checks its classes and weights."""
    if value is not None and value != BALANCED and not (isinstance(value, dict) and value):
        raise ValueError('it must be "balanced" or {class: weight}')
    return value


ClassWeights = Annotated[Any, AfterValidator(_check_form), WithJsonSchema(_SCHEMA)]


class LossSpec(MethodSpec):
    """The loss. With class weights, training weights each sample by its class."""

    #: "balanced", or the weights by class; a class that is left out has the weight 1.
    class_weights: ClassWeights = None
