"""One part of the check, in a process of its own: `python -m benchmarks.gpu.run_part NAME DEVICE`.

Prints each result as a line of JSON as soon as it is measured.
"""

import sys
import traceback

from benchmarks.boxes import exit_on_signals
from benchmarks.gpu.card import find_card
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject


def main(name: str, device: str) -> int:
    """Measure a part; an error is printed as a result that misses its target."""
    exit_on_signals()
    subject = Subject.on(device)
    if subject.is_gpu:
        find_card()  # opens NVML
    try:
        for result in PARTS[name].measure(subject):
            print(result.line(), flush=True)
    except Exception as error:  # noqa: BLE001 - the other parts are measured all the same
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        print(Result(name, "stopped by an error", 1, target="= 0", note=text).line(), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
