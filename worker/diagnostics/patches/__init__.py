"""Patches of specifications, each under the name of its function."""

from worker.diagnostics.patches import data, network, optimization, regularization
from worker.diagnostics.patches.patch import PATCHES, Patch, make_patches

__all__ = ["PATCHES", "Patch", "data", "make_patches", "network", "optimization", "regularization"]
