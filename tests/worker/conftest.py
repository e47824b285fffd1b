"""What every test of the worker starts from."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    """What a test draws does not depend on which ones ran before it."""
    torch.manual_seed(0)
