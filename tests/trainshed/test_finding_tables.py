"""Findings as trees for people."""

from typing import Any

from rich.console import Console

from trainshed.commands.findings import _as_operations  # pyright: ignore[reportPrivateUsage]
from trainshed.finding_tables import print_findings, print_headline

VERIFIED = {"state": "verified", "gain": 0.8, "job": "job_2"}
UNCHECKED = {"state": "none", "gain": None, "job": None}
JOB: dict[str, Any] = {"id": "job_1", "state": "succeeded", "headline": "It is too low."}
ROOT: dict[str, Any] = {
    "id": "fnd_1",
    "rule": "learning_rate_too_low",
    "severity": "error",
    "state": "open",
    "first_step": 20,
    "last_step": 240,
    "layers": ["body.hidden1"],
    "because_of": None,
    "sentence": "learning_rate 1e-06 is too low",
    "evidence": {
        "statistic": "learning_rate",
        "value": 1e-6,
        "threshold": 0.001,
        "direction": "below",
        "samples": 256,
        "series": [[1, -5.0], [20, "nan"]],
        "layers": {"body.hidden1": 0.5},
    },
    "explanation": "The steps are small.",
    "next": None,
    "patches": [
        {"id": "pat_1", "expects": "0.02", "check": VERIFIED},
        {"id": "pat_2", "expects": "Adam", "check": UNCHECKED},
    ],
}
CONSEQUENCE = {
    **ROOT,
    "id": "fnd_2",
    "rule": "loss_not_decreasing",
    "severity": "info",
    "because_of": "fnd_1",
    "sentence": "the loss stays",
    "patches": [],
}


def _printed(*findings: dict[str, Any], **options: Any) -> str:
    console = Console(width=200, record=True)
    print_findings(console, JOB, [*findings], **{"in_full": False, **options})
    return console.export_text()


def test_root_comes_with_evidence_consequences_and_commands() -> None:
    text = _printed(ROOT, CONSEQUENCE)
    assert "error learning_rate_too_low: learning_rate 1e-06 is too low" in text
    assert "learning_rate 1e-06, should be at least 0.001 at steps 20 to 240, 256 samples" in text
    assert "so info loss_not_decreasing: the loss stays" in text
    assert text.count("loss_not_decreasing") == 1
    command = "trainshed fork job_1 --finding fnd_1\n"
    assert f"try 0.02 (verified, loss 80% lower):\n    {command}" in text
    assert "trainshed fork job_1 --finding fnd_1 --patch pat_2" in text
    assert "check it first: trainshed verify fnd_1 --patch pat_2" in text
    assert "The steps are small." not in text
    assert "The steps are small." in _printed(ROOT, in_full=True)


def test_no_findings() -> None:
    assert _printed() == "no findings\n"


def test_headline_is_printed_where_there_is_one() -> None:
    console = Console(width=200, record=True)
    print_headline(console, {"id": "job_1", "headline": None})
    print_headline(console, {"id": "job_1"})
    print_headline(console, JOB)
    assert console.export_text() == "It is too low.\nevidence: trainshed findings job_1\n"


def test_set_becomes_operations_on_the_fields_that_change() -> None:
    spec = {"seed": 0, "optimizer": {"name": "sgd", "learning_rate": 0.01}}
    assert _as_operations(spec, ["optimizer.learning_rate=0.1", "seed=0", "a/b=1"]) == [
        {"op": "add", "path": "/optimizer", "value": {"name": "sgd", "learning_rate": 0.1}},
        {"op": "add", "path": "/a~1b", "value": 1},
    ]
