"""Choices of methods that carry more than their own parameters."""

from typing import Any

from api.catalog.methods import Faults, Methods, escaped

BESIDE_OPTIMIZER = frozenset({"learning_rate", "schedule", "gradient_clipping"})
BESIDE_INITIALIZER = frozenset({"overrides"})


def chosen_initializer(raw: Any, methods: Methods, faults: Faults) -> Any:
    """An initializer with its overrides, filled in; None where a fault was added."""
    at = "/initializer"
    chosen = methods.choice("initializers", raw, at, faults, apart=BESIDE_INITIALIZER)
    overrides = raw.get("overrides", {}) if isinstance(raw, dict) else {}
    filled = {}
    for pattern, other in overrides.items() if isinstance(overrides, dict) else ():
        where = f"{at}/overrides/{escaped(pattern)}"
        filled[pattern] = methods.choice("initializers", other, where, faults)
    return chosen and {**chosen, "overrides": filled}


def chosen_optimizer(raw: Any, at: str, methods: Methods, faults: Faults) -> Any:
    """An optimizer with its schedule and clipping, filled in; None where a fault was added."""
    chosen = methods.choice("optimizers", raw, at, faults, apart=BESIDE_OPTIMIZER)
    given = raw if isinstance(raw, dict) else {}
    schedule = given.get("schedule", "constant")
    filled = methods.choice("schedules", schedule, f"{at}/schedule", faults)
    clipping = given.get("gradient_clipping")
    if isinstance(clipping, dict):
        clipping = {name: bound for name, bound in clipping.items() if bound is not None}
    rate = {"learning_rate": given.get("learning_rate", 0.01)}
    return chosen and {**chosen, **rate, "schedule": filled, "gradient_clipping": clipping}
