"""Trains a specification in this process, without the service, with the watch."""

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from api.catalog.methods import Methods
from api.http.strict_json import parse
from api.jobs.admission import checks
from api.jobs.admission.draft import Context
from api.services.principal import Principal
from benchmarks.diagnostics.sagemaker import DefaultRules
from shared import catalog
from shared.accounts.roles import Level
from shared.jobs.findings import NewFinding
from shared.spec import JobSpec
from worker import data as datasets
from worker.build import build, is_regression
from worker.data.job_data import Data
from worker.data.tensors import take
from worker.runner.diagnosis.watch import Watch
from worker.runner.pretrained import load_pretrained
from worker.training.divergence import Diverged
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded

HOME = Path(tempfile.gettempdir()) / "trainshed-benchmarks"
Json = dict[str, Any]


class _AcceptingSidecar:
    """Finds no fault in any network: building it finds them here."""

    def send(self, _operation: str, _fields: Json, /) -> Json:
        return {"parameter_count": {"trainable": 0, "with_statistics": 0}}

    def confirm(self, _operation: str, _fields: Json, /) -> None:
        pass

    def describe(self, fields: Json, /) -> Json:
        return self.send("describe", fields)


@cache
def _context() -> Context:
    nothing: Any = None
    admin = Principal("admin", "admin", Level.ADMIN, key_id="admin")
    parts = (Methods(catalog.load()), _AcceptingSidecar(), nothing, nothing, admin)
    return Context(*parts, largest_worker=tuple)


def filled(raw: Any) -> Json:
    """Return a specification with its defaults, as admission fills it in."""
    return checks.check(parse(json.dumps(raw).encode()), _context()).filled


@dataclass
class Run:
    """A finished training and what the watch found."""

    spec: Json
    findings: list[NewFinding]
    headline: str | None
    #: Metrics of each epoch.
    epochs: list[Json] = field(default_factory=list)
    steps: int = 0
    planned_steps: int = 0
    watch_seconds: float = 0.0
    diverged: str | None = None
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    #: SageMaker's default rules that fired, where they are judged.
    sagemaker: set[str] = field(default_factory=set)

    @property
    def accuracy(self) -> float:
        """The validation accuracy at the end; 0 for a training that diverged."""
        value = self.epochs[-1].get("val_accuracy", math.nan) if self.epochs else 0.0
        return 0.0 if self.diverged else value

    def rules(self, *severities: str) -> list[str]:
        """Return the rules of the open findings with these severities, or all of them."""
        rows = [row for row in self.findings if row.state == "open"]
        return [row.rule for row in rows if not severities or row.severity in severities]

    @property
    def roots(self) -> list[str]:
        """The rules of the open errors and warnings that nothing explains, as they are listed."""
        open_rows = (row for row in self.findings if row.state == "open")
        return [r.rule for r in open_rows if r.because_of is None and r.severity != "info"]


def experiment_of(spec: Json, adapt: Callable[[Splits], Splits] | None = None) -> Experiment:
    """Build the experiment of a filled specification on this machine's CPU.

    Args:
        spec: the specification.
        adapt: puts a fault into the data.
    """
    parsed = JobSpec.model_validate(spec)
    dataset, indices = datasets.load_splits(
        spec["dataset"],
        is_number=is_regression(parsed),
        seed=parsed.seed,
        data_dir=HOME / "data",
        cache_dir=HOME / "cache",
    )
    parts = (indices.train, indices.validation, indices.test)
    splits = Splits(*(Split(*take(dataset, part)) for part in parts))
    if adapt is not None:
        splits = adapt(splits)
    source = parsed.fine_tuning and parsed.fine_tuning.weights
    weights = load_pretrained(source.pretrained) if source and source.pretrained else None
    return build(parsed, Data(dataset.class_names, splits, dataset.features), weights=weights)


def run(raw: Any, *, experiment: Experiment | None = None, until: str | None = None) -> Run:
    """Train a specification to its end, or until it diverges or has a finding of a rule."""
    spec = filled(raw)
    return run_filled(spec, experiment or experiment_of(spec), until=until)


def run_filled(
    spec: Json,
    experiment: Experiment,
    *,
    epochs: int | None = None,
    until: str | None = None,
    judges_sagemaker: bool = False,
) -> Run:
    """Train the experiment of a filled specification.

    Args:
        spec: the specification.
        experiment: what is built from it.
        epochs: the last epoch.
        until: a rule; the training ends after the epoch in which it is found.
        judges_sagemaker: whether SageMaker's rules watch too.
    """
    watch = None
    if spec["diagnostics"]["mode"] != "off":
        watch = Watch(experiment, spec, job_id="job_1")
    result = Run(spec, [], None, planned_steps=experiment.steps)
    rules = DefaultRules(experiment.model) if judges_sagemaker else None
    observers = [each for each in (watch, rules) if each is not None]
    try:
        for report in fit(experiment):
            result.steps = report.step
            for observer in observers:
                observer.observe(report)
            if isinstance(report, EpochEnded):
                result.epochs.append(dict(report.metrics))
                if report.epoch == epochs or (until is not None and _has_found(watch, until)):
                    break
    except Diverged as error:
        result.diverged, result.steps = str(error), error.step
        if watch is not None:
            watch.observe_divergence(error)
    if rules is not None:
        result.sagemaker = rules.fired | ({"exploding_tensor"} if result.diverged else set())
    if watch is not None:
        _add_findings(result, watch)
    result.weights = {n: t.detach().clone() for n, t in experiment.model.state_dict().items()}
    return result


def _has_found(watch: Watch | None, rule: str) -> bool:
    return watch is not None and any(row["rule"] == rule for row in watch.state().data["findings"])


def _add_findings(result: Run, watch: Watch) -> None:
    state = watch.state().data
    result.findings = [NewFinding(**row) for row in state["findings"]]
    result.headline = state["headline"]
    result.watch_seconds = watch.budget.spent_seconds
