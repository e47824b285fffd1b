"""`python -m trainshed`: the command line."""

import sys

from trainshed.cli import main

if __name__ == "__main__":
    sys.exit(main())
