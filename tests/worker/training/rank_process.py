"""A rank of a training in a test: `python -m tests.worker.training.rank_process DIRECTORY RANK`.

`cases.json` in the directory lists the trainings, which all ranks run one after the other.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.worker.experiments import data, experiment
from worker.training.checkpoint import load, save
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.ranks import ALONE, Ranks, join
from worker.training.reports import EpochEnded, Fitted, StageEnded, Stepped
from worker.training.state import TrainingState


def build(case: dict[str, Any]) -> Experiment:
    """Return the experiment of a case: fields of a specification, with `train` samples."""
    fields = {name: value for name, value in case.items() if name not in {"train", "stop_at"}}
    return experiment(bundle=data(train=case.get("train", 35)), **fields)


def run(
    case: dict[str, Any],
    *,
    ranks: Ranks = ALONE,
    state: TrainingState | None = None,
    stopped: Path | None = None,
) -> dict[str, Any]:
    """Train, and return the values of each step and epoch and the last weights.

    Args:
        case: what is trained.
        ranks: that train together.
        state: where to resume.
        stopped: where the first rank writes the state of the step `stop_at`, and stops.
    """
    training = build(case)
    steps: list[dict[str, Any]] = []
    epochs: list[dict[str, float]] = []
    reports = fit(training, state=state, ranks=ranks)
    ends: list[str] = []
    for report in reports:
        if isinstance(report, Stepped | EpochEnded):
            steps += [asdict(values) for values in report.values]
        if isinstance(report, EpochEnded):
            epochs.append({n: v for n, v in report.metrics.items() if "second" not in n})
        if isinstance(report, StageEnded):
            ends.append(f"{report.end.reason} {report.end.stage_epochs} {report.end.restored}")
        if stopped and isinstance(report, Stepped) and report.step == case["stop_at"]:
            if ranks.rank == 0:
                save(report.snapshot(), stopped)
            reports.close()
        if isinstance(report, Fitted):
            fingerprint = report.snapshot().fingerprint
            ends.append("exact" if "resumed" not in fingerprint else "inexact")
    weights = {name: tensor.tolist() for name, tensor in training.model.state_dict().items()}
    return {"steps": steps, "epochs": epochs, "ends": ends, "weights": weights}


def main() -> None:
    directory, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    request = json.loads((directory / "cases.json").read_text())
    results: dict[str, Any] = {}
    with join(rank, request["ranks"], directory / "rendezvous", torch.device("cpu")) as ranks:
        for name, case in request["cases"].items():
            saved = directory / f"{name}.before"
            state = load(saved) if saved.exists() else None
            stopped = directory / f"{name}.after" if "stop_at" in case else None
            results[name] = run(case, ranks=ranks, state=state, stopped=stopped)
    (directory / f"{rank}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
