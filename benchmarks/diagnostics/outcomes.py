"""What one case shows: the findings, SageMaker's rules, and what each patch does; stored as JSON."""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from api.findings.verification import epochs_to_train
from api.http.json_patch import apply_patch
from benchmarks.diagnostics.data_faults import CHANGES
from benchmarks.diagnostics.runs import HOME, Run, experiment_of, filled, run, run_filled
from shared.jobs.findings import FindingRow, NewFinding
from shared.jobs.verdicts import Losses, decide

Json = dict[str, Any]
MAX_PATCHES = 3
ROOT = Path(__file__).parents[2]
#: Parts of the worker that take no part in a training.
OUTSIDE = {"dispatch", "checker", "sidecar", "tracking", "tensorboard", "plots", "analyses"}


@dataclass(frozen=True)
class Repair:
    """What a patch does: the verdict of a short training, and the accuracy of a full training."""

    verdict: str
    accuracy: float
    reaches_bar: bool


@dataclass(frozen=True)
class Outcome:
    """What a run shows."""

    accuracy: float
    planned_steps: int
    #: Open findings, of all severities; errors and warnings; of these the roots, as listed.
    rules: list[str]
    loud: list[str]
    roots: list[str]
    #: The step at which each rule was certain.
    opened_steps: dict[str, int]
    sagemaker: list[str]
    #: Of the first patches of the first root, until a patch reaches the bar.
    repairs: list[Repair] = field(default_factory=list)


def measured(name: str, spec: Json, bar: float | None) -> Outcome:
    """Return the outcome of a case, from the disk where this code has measured it before.

    Args:
        name: of the case.
        spec: with its seed.
        bar: the accuracy that a repaired specification reaches; None to try no patch.
    """
    of_spec = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    path = HOME / "diagnostics" / code_digest() / f"{name}-{spec['seed']}-{of_spec}.json"
    if path.exists():
        stored = json.loads(path.read_text())
        return Outcome(**{**stored, "repairs": [Repair(**each) for each in stored["repairs"]]})
    outcome = _measure(name, spec, bar)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(asdict(outcome)))
    partial.rename(path)
    return outcome


@cache
def code_digest() -> str:
    """Return a digest of the code that an outcome depends on, so that a page or a test changes none."""
    worker, here = ROOT / "worker", ROOT / "benchmarks" / "diagnostics"
    files = [each for each in worker.rglob("*.py") if not OUTSIDE & {*each.parts}]
    files += [here / f"{name}.py" for name in ("data_faults", "outcomes", "runs", "sagemaker")]
    found = hashlib.sha256()
    for each in sorted(files):
        found.update(f"{each.relative_to(ROOT)}\0".encode() + each.read_bytes())
    return found.hexdigest()[:12]


def _measure(name: str, spec: Json, bar: float | None) -> Outcome:
    chosen = filled(spec)
    change = CHANGES.get(name)
    generator = torch.Generator().manual_seed(spec["seed"])
    adapt = None if change is None else (lambda splits: change(splits, generator))
    found = run_filled(chosen, experiment_of(chosen, adapt), judges_sagemaker=True)
    repairs = [] if bar is None else _repairs(found, bar)
    return Outcome(
        accuracy=found.accuracy,
        planned_steps=found.planned_steps,
        rules=found.rules(),
        loud=found.rules("error", "warning"),
        roots=found.roots,
        opened_steps={row.rule: row.data["opened_step"] for row in found.findings},
        sagemaker=sorted(found.sagemaker),
        repairs=repairs,
    )


def _repairs(found: Run, bar: float) -> list[Repair]:
    # Without an error or a warning, what a remark offers is tried.
    listed = (row for row in found.findings if row.state == "open" and row.because_of is None)
    root = next((row for row in listed if row.severity != "info" or row.data["patches"]), None)
    if root is None:
        return []
    repairs: list[Repair] = []
    for patch in root.data["patches"][:MAX_PATCHES]:
        patched = filled(apply_patch(found.spec, patch["operations"]))
        accuracy = run(patched).accuracy
        repairs.append(Repair(_verdict(found, root, patched), accuracy, accuracy >= bar))
        if accuracy >= bar:
            break
    return repairs


def _verdict(found: Run, finding: NewFinding, patched: Json) -> str:
    """Return the verdict of a check of the patch, as the service makes it."""
    row = FindingRow(job_id="job_1", **vars(finding))
    epochs = epochs_to_train(found.spec, row)
    null = {**found.spec, "seed": found.spec["seed"] + 1, "diagnostics": {"mode": "off"}}
    fork = run_filled(patched, experiment_of(patched), epochs=epochs)
    other = run_filled(filled(null), experiment_of(null), epochs=epochs)
    parent_loss, null_loss, fork_loss = (_loss(each, epochs) for each in (found, other, fork))
    if fork_loss is None:
        return "inconclusive"  # it ends earlier
    return decide(
        Losses(parent_loss, null_loss, fork_loss),
        epoch=epochs,
        is_gone=finding.rule not in fork.rules(),
        new_errors=sorted(set(fork.rules("error")) - set(found.rules())),
    ).verdict


def _loss(run_: Run, epoch: int) -> float | None:
    if len(run_.epochs) < epoch:
        return math.inf if run_.diverged else None
    value = run_.epochs[epoch - 1]["val_data_loss"]
    return value if math.isfinite(value) else math.inf
