"""The results of a network whose scores are NaN."""

import io
from typing import Any

from rich.console import Console

from trainshed.result_tables import print_mistakes, print_samples

CLASSES = ["cat", "dog"]
TOP_K: dict[str, Any] = {
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


def test_sample_without_finite_scores_shows_nan() -> None:
    console = _console()
    with console.capture() as output:
        print_samples(console, TOP_K)
    assert "nan" in output.get()


def test_mistake_without_finite_scores_predicts_no_class() -> None:
    console = _console()
    with console.capture() as output:
        print_mistakes(console, TOP_K, 10)
    assert "none" in output.get()
