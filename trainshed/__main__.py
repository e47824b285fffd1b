"""The command line: `python -m trainshed`."""

import sys

from trainshed.cli import main

if __name__ == "__main__":
    sys.exit(main())
