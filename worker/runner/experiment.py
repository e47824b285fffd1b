"""Builds the experiment of an attempt: its data, initial weights and network."""

from shared.database import Database
from shared.settings import Settings
from shared.spec import JobSpec
from shared.storage import Storage
from worker import data as datasets
from worker.assignment import Assignment
from worker.build import build, is_regression
from worker.data.dataset import Dataset, Integers
from worker.data.job_data import Data
from worker.data.tensors import map_images, take
from worker.runner.gpu import allocation_limit_mib
from worker.runner.residency import available_bytes, stays_on_host
from worker.runner.weights import load_initial_weights
from worker.training.experiment import Experiment, Split, Splits

ON_HOST = (
    "The images stay outside of the device, and batches are read ahead of each step: residency is "
    "host, or the images do not fit next to the network."
)


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
    device = "cuda" if assignment.uuid else "cpu"
    limit_mib = allocation_limit_mib(assignment.memory_mib)
    is_on_host = not dataset.features and stays_on_host(
        spec,
        dataset.images.shape[1:],
        len(indices.train) + len(indices.validation) + len(indices.test),
        len(dataset.class_names),
        available_bytes=available_bytes(device, limit_mib, settings.runner_memory_mib),
    )
    splits = Splits(
        train=_split(dataset, indices.train, is_on_host=is_on_host),
        validation=_split(dataset, indices.validation, is_on_host=is_on_host),
        test=_split(dataset, indices.test, is_on_host=is_on_host),
    )
    weights = load_initial_weights(spec, database, Storage(settings.storage))
    data = Data(dataset.class_names, splits, dataset.features)
    return dataset, build(spec, data, device=device, weights=weights)


def _split(dataset: Dataset, indices: Integers, *, is_on_host: bool) -> Split:
    return Split(*(map_images if is_on_host else take)(dataset, indices))
