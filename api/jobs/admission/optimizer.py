"""Choices of methods that carry more than their own parameters."""

from typing import Any

from pydantic import ValidationError

from api.catalog.methods import Faults, Methods, is_full
from api.http.json_pointer import escape
from shared.spec import ClippingSpec

BESIDE_OPTIMIZER = frozenset({"learning_rate", "schedule", "gradient_clipping"})
BESIDE_INITIALIZER = frozenset({"overrides"})


def chosen_initializer(raw: Any, methods: Methods, faults: Faults) -> Any:
    """An initializer with its overrides, filled in; None where a fault was added."""
    at = "/initializer"
    chosen = methods.choice("initializers", raw, at, faults, apart=BESIDE_INITIALIZER)
    overrides = raw.get("overrides", {}) if isinstance(raw, dict) else {}
    filled = {}
    for pattern, other in overrides.items() if isinstance(overrides, dict) else ():
        if is_full(faults):
            break
        where = f"{at}/overrides/{escape(pattern)}"
        filled[pattern] = methods.choice("initializers", other, where, faults)
    return chosen and {**chosen, "overrides": filled}


def chosen_optimizer(raw: Any, at: str, methods: Methods, faults: Faults) -> Any:
    """An optimizer with its schedule and clipping, filled in; None where a fault was added."""
    chosen = methods.choice("optimizers", raw, at, faults, apart=BESIDE_OPTIMIZER)
    given = raw if isinstance(raw, dict) else {}
    schedule = given.get("schedule", "constant")
    filled = methods.choice("schedules", schedule, f"{at}/schedule", faults)
    clipping = _clipping(given.get("gradient_clipping"))
    rate = given.get("learning_rate", 0.01)
    rate = float(rate) if isinstance(rate, int) else rate
    beside = {"learning_rate": rate, "schedule": filled, "gradient_clipping": clipping}
    return chosen and {**chosen, **beside}


def _clipping(raw: Any) -> Any:
    """The one way of clipping that is given; None where there is none or it is at fault."""
    try:
        return raw and ClippingSpec.model_validate(raw).model_dump(exclude_none=True)
    except ValidationError:
        return None  # the structure's own check says so
