"""Makes the clock of a worker and of its runners wrong, where this directory is in `PYTHONPATH`.

Python imports this file when it starts, so the service needs no setting for it.
"""

import sys
from datetime import timedelta

from shared import clock
from worker.dispatch import spare

WRONG_BY = timedelta(seconds=30)

_local_now = clock.local_now
clock.local_now = lambda: _local_now() + WRONG_BY
# Runners get a few variables only
spare.RUNNER_VARIABLES = (*spare.RUNNER_VARIABLES, "PYTHONPATH")
sys.stderr.write(f"this clock is wrong by {WRONG_BY.total_seconds():.0f} s\n")
