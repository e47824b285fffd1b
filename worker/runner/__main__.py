"""`python -m worker.runner`: a spare that trains the job which its dispatcher assigns."""

import os
import sys
from contextlib import suppress

from worker.runner.process import main

if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # Skips the interpreter's shutdown, which takes a tenth of a second with torch.
    os._exit(code)
