"""A training that left the finite numbers."""

import math

#: So many steps in a row that float16 skips are no search for a scale any more.
MAX_SKIPPED_IN_A_ROW = 30


class Diverged(Exception):
    """The loss or a gradient is not finite any more."""

    def __init__(self, step: int, stage: str, what: str, hint: str) -> None:
        #: The first step at which it was so, counted over the whole job from 1.
        self.step = step
        self.stage = stage
        self.what = what
        self.hint = hint
        super().__init__(f"{what} was not finite at step {step} (stage {stage!r}). {hint}")


def hint(*, learning_rate: float, precision: str, is_clipped: bool) -> str:
    """What to try next."""
    tries = [f"take a smaller learning_rate than {learning_rate:g} (a tenth, say)"]
    if not is_clipped:
        tries.append('clip gradients ("gradient_clipping": {"global_norm": 1.0})')
    if precision == "float16":
        tries.append('train in "bfloat16" or "float32", which hold larger numbers')
    tries.append("or start with a warm-up of the learning rate")
    return f"Try this: {', '.join(tries)}."


def is_finite(*figures: float) -> bool:
    """Whether all of them are."""
    return all(map(math.isfinite, figures))
