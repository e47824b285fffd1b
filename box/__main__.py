"""`python -m box up` runs the box until it is told to stop; `python -m box demo` shows it."""

import argparse
import sys

from box.demo import demo
from box.preconditions import Refusal
from box.supervisor import Supervisor
from shared.settings import read_settings


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 2 where it was refused."""
    parser = argparse.ArgumentParser(prog="python -m box", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="run the box in the foreground until Ctrl-C")
    shown = commands.add_parser("demo", help="train a real network and show it")
    shown.add_argument("--keep", action="store_true", help="leave the box running")
    asked = parser.parse_args(arguments)
    settings = read_settings()
    try:
        if asked.command == "demo":
            return demo(settings, keep=asked.keep)
        return Supervisor(settings).run()
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
    except OSError as error:
        # A home that cannot be written to, a full disk: `error` names the file.
        sys.stderr.write(f"the box cannot run: {error}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
