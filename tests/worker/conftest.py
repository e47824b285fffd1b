"""Fixtures for all tests of the worker."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Make the random numbers of a test independent of the tests before it."""
    torch.manual_seed(0)
