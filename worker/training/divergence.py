"""The error of a job whose loss or gradient is not finite."""

import math
from typing import Any

#: This many skipped steps in a row are no search for float16's scale any more.
MAX_SKIPPED_IN_A_ROW = 30


class Diverged(Exception):
    """The loss or a gradient is not finite."""

    def __init__(
        self, step: int, stage: str, what: str, hint: str, values: tuple[Any, ...] = ()
    ) -> None:
        #: The first such step, counted over the whole job from 1.
        self.step = step
        self.stage = stage
        self.what = what
        self.hint = hint
        #: The `StepValues` of the last steps that were read, this step's last.
        self.values = values
        super().__init__(f"{what} was not finite at step {step} of stage {stage!r}. {hint}")


def hint(*, learning_rate: float, precision: str, is_clipped: bool) -> str:
    """Return what the user can try."""
    changes = [f"a learning_rate of at most {learning_rate / 10:g} instead of {learning_rate:g}"]
    if not is_clipped:
        changes.append('gradient clipping ("gradient_clipping": {"global_norm": 1.0})')
    if precision == "float16":
        changes.append('precision "bfloat16" or "float32", which hold larger numbers')
    return f"Try {', '.join(changes)} or a warm-up of the learning rate."


def is_finite(*values: float) -> bool:
    """Return whether all values are finite."""
    return all(map(math.isfinite, values))
