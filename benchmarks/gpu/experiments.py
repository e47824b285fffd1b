"""Experiments in this process, from the same specifications as jobs."""

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.boxes import Box
from shared.spec import JobSpec
from worker import data as datasets
from worker.build import build
from worker.data.job_data import Data
from worker.data.tensors import take
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded


def experiment(box: Box, spec: dict[str, Any], device: str) -> Experiment:
    """Build the experiment of a specification, with the box's defaults and data."""
    response = box.http.post("/v1/jobs/validate", json=spec)
    response.raise_for_status()
    filled = response.json()["spec"]
    dataset, indices = datasets.load_splits(
        filled["dataset"],
        seed=filled["seed"],
        data_dir=box.home / "data",
        cache_dir=box.home / "cache",
    )
    splits = Splits(
        *(Split(*take(dataset, part)) for part in (indices.train, indices.validation, indices.test))
    )
    data = Data(dataset.class_names, splits, dataset.features)
    return build(JobSpec.model_validate(filled), data, device=torch.device(device))


def epoch_seconds(subject: Experiment) -> Iterator[float]:
    """Train, and yield the seconds of each epoch with its validation."""
    for report in fit(subject):
        if isinstance(report, EpochEnded):
            yield report.metrics["seconds"]
