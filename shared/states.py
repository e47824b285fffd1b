"""The states and priorities of a job.

queued → running → succeeded, failed or cancelled; queued or running → paused → queued;
running → queued when an attempt ends without finishing; queued or paused → cancelled. The SQL in
`shared.jobs` makes these transitions.
"""

from typing import Literal, get_args

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
STATES: tuple[str, ...] = get_args(State)

#: What a job is for: a training of its own, the check of a patch, or a look at a checkpoint.
Kind = Literal["training", "verification", "analysis"]

#: Final states are never left.
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})

PRIORITIES: dict[str, int] = {"low": -10, "normal": 0, "high": 10}
PRIORITY_NAMES: dict[int, str] = {level: name for name, level in PRIORITIES.items()}
