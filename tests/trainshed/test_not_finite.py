"""Results of a network whose scores are not finite, as tables."""

import io
from typing import Any

from rich.console import Console

from trainshed import show_results

CLASSES = ["cat", "dog"]
ANSWER: dict[str, Any] = {
    "checkpoints": [
        {
            "checkpoint": "ckpt_1",
            "name": "last",
            "per_class": [{"label": n, "name": name} for n, name in enumerate(CLASSES)],
            "mistakes": [{"sample": 3, "label": 0, "predicted": None, "probability": "nan"}],
        }
    ],
    "samples": {
        "checkpoint": "ckpt_1",
        "data": [
            {
                "sample": 3,
                "label_name": "cat",
                "right": False,
                "classes": [{"name": name, "probability": "nan"} for name in CLASSES],
            }
        ],
    },
}


def _console() -> Console:
    return Console(file=io.StringIO(), width=80)


def test_a_sample_has_no_probabilities() -> None:
    console = _console()
    with console.capture() as printed:
        show_results.samples(console, ANSWER)
    assert "nan" in printed.get()


def test_a_mistake_is_taken_for_nothing() -> None:
    console = _console()
    with console.capture() as printed:
        show_results.mistakes(console, ANSWER, 10)
    assert "nothing" in printed.get()
