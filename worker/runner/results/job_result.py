"""The result of a job that succeeded, as its row holds it."""

from collections.abc import Mapping
from typing import Any

import torch

from worker.data.dataset import Dataset
from worker.training.experiment import Experiment
from worker.training.meta_model import count_parameters


def data_facts(dataset: Dataset, experiment: Experiment) -> dict[str, Any]:
    """Return which data a job is trained on, and the samples of each split, as JSON values."""
    splits = experiment.splits
    return {
        "name": dataset.name,
        "content_hash": dataset.content_hash,
        "train": len(splits.train.labels),
        "validation": len(splits.validation.labels),
        "test": len(splits.test.labels),
    }


def job_result(
    dataset: Dataset,
    experiment: Experiment,
    stages: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    is_exact: bool,
) -> dict[str, Any]:
    """Return the result of a job, as JSON values.

    Args:
        dataset: the data that was trained on.
        experiment: the network and its splits.
        stages: how each stage ended, by name.
        summary: the test metrics of the evaluated checkpoints, by name.
        is_exact: whether a job that was never stopped would have the same results, bit for bit.
    """
    last = summary["last"]
    return {
        "epochs": last["epoch"],
        "steps": last["step"],
        "stages": dict(stages),
        "test": dict(summary),
        "dataset": data_facts(dataset, experiment),
        "parameter_count": count_parameters(experiment.model),
        "resumed_inexact": not is_exact,
        "torch": torch.__version__,
    }
