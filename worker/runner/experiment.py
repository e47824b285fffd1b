"""Builds the experiment of an attempt: its data, initial weights and network."""

from shared.database import Database
from shared.settings import Settings
from shared.spec import JobSpec
from shared.storage import Storage
from worker import data as datasets
from worker.assignment import Assignment
from worker.build import build, is_regression
from worker.data.dataset import Dataset
from worker.data.job_data import Data
from worker.data.tensors import take
from worker.runner.weights import load_initial_weights
from worker.training.experiment import Experiment, Split, Splits


def build_experiment(
    spec: JobSpec, assignment: Assignment, settings: Settings, database: Database
) -> tuple[Dataset, Experiment]:
    """Return the data set of a job, and the experiment on the assigned device.

    Raises:
        DatasetMissing: the data set is not available.
        SpecError: parts of the specification do not fit together, or the weights do not exist.
    """
    dataset, indices = datasets.load_splits(
        assignment.spec["dataset"],
        is_number=is_regression(spec),
        seed=spec.seed,
        data_dir=settings.home / "data",
        cache_dir=settings.home / "cache",
    )
    splits = Splits(
        train=Split(*take(dataset, indices.train)),
        validation=Split(*take(dataset, indices.validation)),
        test=Split(*take(dataset, indices.test)),
    )
    weights = load_initial_weights(spec, database, Storage(settings.storage))
    device = "cuda" if assignment.uuid else "cpu"
    data = Data(dataset.class_names, splits, dataset.features)
    return dataset, build(spec, data, device=device, weights=weights)
