"""`python -m box up` runs the box until Ctrl-C; `python -m box demo` shows it at work."""

import argparse
import sys

from box.demo import demo
from box.preconditions import CannotStart
from box.supervisor import Supervisor
from shared.settings import read_settings

CANNOT_START = 2


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; 2 if the box cannot start."""
    parser = argparse.ArgumentParser(prog="python -m box", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="run the box in the foreground until Ctrl-C")
    demo_parser = commands.add_parser("demo", help="train a real network and show its results")
    demo_parser.add_argument("--keep", action="store_true", help="keep the box running")
    options = parser.parse_args(arguments)
    settings = read_settings()
    try:
        if options.command == "demo":
            return demo(settings, keep=options.keep)
        return Supervisor(settings).run()
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
    except OSError as error:
        # A home without write permission, or a full disk: the text names the file.
        sys.stderr.write(f"The box cannot run: {error}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
