"""Data sets for training: located, checked, decoded and resized once, split by a seed."""

from worker.data.dataset import Dataset
from worker.data.errors import DatasetMissing
from worker.data.loading import load, load_splits, open_dataset
from worker.data.splits import SplitIndices, split

__all__ = [
    "Dataset",
    "DatasetMissing",
    "SplitIndices",
    "load",
    "load_splits",
    "open_dataset",
    "split",
]
