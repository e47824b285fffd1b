"""9. Add a method: one file in its slot's folder, then `python -m worker.catalog`."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.fundamentals.conftest import ROOT, start_box

FOCAL = '''
"""The focal loss. Axes: N samples, M classes."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from worker.registry import losses


@losses.register(source="Lin et al. 2017, arXiv:1708.02002, equation 4")
def focal(
    logits_NM: Tensor, labels_N: Tensor, /, *, gamma: Annotated[float, Field(ge=1, le=10)] = 2.0
) -> Tensor:
    """−(1 − p)^γ · log p of the label, the mean over samples, in nats.

    Args:
        logits_NM: scores, any real numbers.
        labels_N: classes.
        gamma: γ, how much less samples that are right count.
    """
    losses_N = functional.cross_entropy(logits_NM, labels_N, reduction="none")
    probabilities_N = torch.exp(-losses_N).clamp_max(1)
    return ((1 - probabilities_N) ** gamma * losses_N).mean()
'''


def test_new_loss_is_in_the_catalogue_and_can_be_trained_with(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for folder in ("api", "box", "shared", "trainshed", "worker"):
        shutil.copytree(ROOT / folder, checkout / folder)

    (checkout / "worker" / "losses" / "focal.py").write_text(FOCAL)
    subprocess.run([sys.executable, "-m", "worker.catalog"], cwd=checkout, check=True)

    with start_box(checkout, tmp_path / "home") as box:
        entry = box.http.get("/v1/catalog").json()["losses"]["focal"]
        assert entry["source"] == "Lin et al. 2017, arXiv:1708.02002, equation 4"
        assert entry["parameters"]["properties"]["gamma"]["default"] == 2.0

        spec = {"dataset": "digits", "architecture": "mlp", "training": {"epochs": 2}}
        job = box.submit({**spec, "loss": {"name": "focal", "gamma": 1.5}})
        ended = box.wait(job["id"])

    assert ended["state"] == "succeeded", ended["failure"]
    assert ended["spec"]["loss"] == {"name": "focal", "gamma": 1.5}
    assert ended["metrics"]["test_accuracy"] > 0.5
