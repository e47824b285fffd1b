"""`python -m worker.runner`: a spare runner, until its dispatcher assigns it a job."""

import os
import sys
from contextlib import suppress

from worker.runner.process import main

if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # Skips the interpreter's shutdown, which takes torch a tenth of a second.
    os._exit(code)
