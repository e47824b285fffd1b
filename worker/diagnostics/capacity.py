"""Rules on the capacity of the network."""

from typing import Annotated

from pydantic import Field

from worker.diagnostics.demos import mlp, on_digits
from worker.diagnostics.symptom import Symptom
from worker.diagnostics.view import View
from worker.registry import diagnostics


@diagnostics.register(
    source="Tishby & Zaslavsky 2015, arXiv:1503.02406 (a narrow layer limits the information)",
    when=["start"],
    reasons=[24, 25],
    causes=[],
    demo=on_digits(architecture=mlp(1, 1)),
    twin=on_digits(architecture=mlp(1, 128)),
)
def bottleneck(view: View, /, *, width: Annotated[int, Field(ge=1)] = 8) -> Symptom | None:
    """A hidden layer has too few units for the number of classes.

    Everything that the output can depend on has to pass through it. M classes need about M−1
    numbers to be separated by straight lines; a layer with one or two units cannot carry them.

    Args:
        view: the training.
        width: the width from which on a layer is never too narrow.
    """
    units = view.spec["architecture"].get("hidden_units")
    if not units or not view.classes:
        return None
    needed = min(view.classes - 1, width)
    narrowest = min(units)
    if narrowest >= needed:
        return None
    return Symptom(
        severity="warning",
        sentence=f"a hidden layer has {narrowest} unit{'s' if narrowest > 1 else ''}, few for "
        f"{view.classes} classes",
        statistic="width",
        value=float(narrowest),
        threshold=float(needed),
        direction="below",
        details={"hidden_units": list(units)},
        patches=("wider", "four_times_wider"),
        is_certain=True,
    )
