"""Data sets for training: looked for, checked, decoded once, resized once, split by a seed."""

from worker.data.dataset import Dataset
from worker.data.errors import DatasetMissing
from worker.data.loading import load, load_splits
from worker.data.splits import Splits, split

__all__ = ["Dataset", "DatasetMissing", "Splits", "load", "load_splits", "split"]
