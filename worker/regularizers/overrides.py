"""The regularizers of a specification, and the parameters that they override."""

from collections.abc import Mapping
from typing import Any

from worker.registry import SpecError, architectures, regularizers
from worker.regularizers.regularizer import Regularizer
from worker.training.head import Head


def build_regularizers(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Regularizer]:
    """Build the regularizers of a specification.

    Args:
        parameters: the parameters of each regularizer, by its name.

    Raises:
        SpecError: a name or a parameter is not allowed.
    """
    return {name: regularizers.bind(name, own)() for name, own in parameters.items()}


def architecture_parameters(
    name: str, parameters: Mapping[str, Any], built: Mapping[str, Regularizer]
) -> dict[str, Any]:
    """Return the parameters of an architecture with the overrides of the regularizers.

    Args:
        name: the architecture.
        parameters: its parameters in the specification.
        built: the regularizers, by name.

    Raises:
        SpecError: a parameter is not allowed, or the architecture has no parameter that a
            regularizer overrides.
    """
    overridden = architectures.get(name).check(parameters)
    for regularizer, effect in built.items():
        overrides = {key: value for key, value in effect.overrides.items() if key in overridden}
        if effect.overrides and not overrides:
            raise SpecError(
                f"The regularizer {regularizer!r} sets {' or '.join(effect.overrides)}, which "
                f"{name} does not have. Leave the regularizer out or use another architecture."
            )
        overridden |= overrides
    return overridden


def new_head(parameters: Mapping[str, Any], built: Mapping[str, Regularizer]) -> Head:
    """Return the head for fine-tuning with the overrides of the regularizers.

    Args:
        parameters: `fine_tuning.head` of the specification.
        built: the regularizers, by name.
    """
    overridden = dict(parameters)
    for effect in built.values():
        overridden |= {key: value for key, value in effect.overrides.items() if key in parameters}
    return Head(**overridden)
